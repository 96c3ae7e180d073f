"""What a call is held for."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from openai.types.chat import ChatCompletionMessage

from accounts.models import User
from billing.errors import InsufficientCredits, UnknownModel
from billing.models import PricingConfig
from billing.usage_cost import Tokens
from usage.models import Basis, UsageStatus
from usage.selectors.experience import expected_output_tokens
from usage.services.calls import abandon_call, finish_call, open_call
from usage.services.estimating import Estimate, estimate_call
from usage.services.tokens import count_message_tokens, count_tokens
from usage.tests.factories import MODEL, balance_of, customer_of, make_price, make_user

pytestmark = pytest.mark.django_db


def estimate(user: User, **fields: Any) -> Estimate:
    wish: dict[str, Any] = {"model": MODEL, "input_tokens": 10, "max_tokens": None, "at": timezone.now()} | fields
    return estimate_call(customer_id=customer_of(user).pk, **wish)


def make_calls(user: User, lengths: list[int], *, model: str = MODEL, **ended: Any) -> None:
    for number, length in enumerate(lengths):
        call = open_call(
            customer_id=customer_of(user).pk,
            model=model,
            input_tokens=1,
            max_tokens=length or 1,
            event_id=f"{model}-{length}-{number}-{ended}",
        )
        finish_call(call=call, tokens=Tokens(input=1, output=length), **({"basis": Basis.REPORTED} | ended))


def test_without_experience_the_price_s_reserve_is_expected(user: User, price: PricingConfig) -> None:
    made = estimate(user)

    assert (made.expected_output_tokens, made.worst_output_tokens) == (100, 100)
    assert (made.credits, made.worst_case) == (210, 210)


@pytest.mark.parametrize(("calls", "expected"), [(19, 100), (20, 7)])
def test_after_twenty_calls_experience_counts(user: User, price: PricingConfig, calls: int, expected: int) -> None:
    make_calls(user, [7] * calls)

    assert estimate(user).expected_output_tokens == expected


def test_expected_is_what_ninety_five_of_a_hundred_stay_within(price: PricingConfig) -> None:
    user = make_user(credits=100_000)
    make_calls(user, list(range(1, 101)))

    assert estimate(user).expected_output_tokens == 95
    assert (estimate(user).credits, estimate(user).worst_case) == (200, 210)


def test_only_the_latest_calls_count(price: PricingConfig) -> None:
    user = make_user(credits=100_000)
    make_calls(user, [50] * 30)
    make_calls(user, [3] * 200)

    assert estimate(user).expected_output_tokens == 3


def test_experience_is_of_this_customer_and_this_model(user: User, price: PricingConfig) -> None:
    make_price("big-model")
    make_calls(user, [7] * 20)

    assert expected_output_tokens(customer_id=customer_of(user).pk, model="big-model") is None
    assert expected_output_tokens(customer_id=customer_of(make_user()).pk, model=MODEL) is None


def test_calls_that_broke_off_teach_nothing(user: User, price: PricingConfig) -> None:
    make_calls(user, [7] * 19)
    make_calls(user, [1] * 20, status=UsageStatus.INTERRUPTED)
    failed = open_call(customer_id=customer_of(user).pk, model=MODEL, input_tokens=1, max_tokens=1, event_id="failed")
    abandon_call(call=failed, failure="down")

    assert expected_output_tokens(customer_id=customer_of(user).pk, model=MODEL) is None


def test_what_a_product_says_of_its_own_work_does_not_make_holds_small(user: User, price: PricingConfig) -> None:
    make_calls(user, [0] * 40, basis=Basis.RECORDED)

    assert estimate(user).expected_output_tokens == 100


@pytest.mark.parametrize(
    ("max_tokens", "expected", "worst"), [(None, 100, 100), (99, 99, 99), (100, 100, 100), (101, 100, 101), (0, 0, 0)]
)
def test_max_tokens_bounds_what_is_expected(
    user: User, price: PricingConfig, max_tokens: int | None, expected: int, worst: int
) -> None:
    made = estimate(user, max_tokens=max_tokens)

    assert (made.expected_output_tokens, made.worst_output_tokens) == (expected, worst)


def test_several_answers_multiply_reserve_and_worst_case(user: User, price: PricingConfig) -> None:
    made = estimate(user, max_tokens=150, answers=3)

    assert (made.expected_output_tokens, made.worst_output_tokens) == (300, 450)


def test_experience_with_single_answers_does_not_make_holds_for_many_small(user: User, price: PricingConfig) -> None:
    make_calls(user, [7] * 20)

    assert [estimate(user, answers=answers).expected_output_tokens for answers in (1, 3)] == [7, 300]
    assert estimate(user, answers=3, max_tokens=20).expected_output_tokens == 60


@pytest.mark.parametrize(
    ("credits", "held"), [("809.999999", None), ("810", 810), ("810.000001", 210), ("2000", 210)], ids=str
)
def test_who_has_no_more_than_the_worst_case_is_held_for_it(
    price: PricingConfig, credits: str, held: int | None
) -> None:
    user = make_user(credits=credits)
    wish = {"customer_id": customer_of(user).pk, "model": MODEL, "input_tokens": 10, "max_tokens": 400}

    if held is None:
        with pytest.raises(InsufficientCredits) as refusal:
            open_call(**wish, event_id="1")  # type: ignore[arg-type]
        assert refusal.value.required == 810
    else:
        assert open_call(**wish, event_id="1").hold.amount == held  # type: ignore[arg-type]


def test_what_others_hold_is_not_there_for_the_worst_case(price: PricingConfig) -> None:
    user = make_user(credits=1100)
    wish = {"customer_id": customer_of(user).pk, "model": MODEL, "input_tokens": 10, "max_tokens": 400}

    first, second = (open_call(**wish, event_id=str(number)) for number in range(2))  # type: ignore[arg-type]

    assert (first.hold.amount, second.hold.amount) == (210, 210)
    with pytest.raises(InsufficientCredits):
        open_call(**wish, event_id="3")  # type: ignore[arg-type]


def test_overdraft_counts_as_spendable(price: PricingConfig) -> None:
    user = make_user(credits=5, overdraft_limit=205)

    open_call(customer_id=customer_of(user).pk, model=MODEL, input_tokens=10, max_tokens=None, event_id="1")

    assert balance_of(user).held == 210


def test_free_call_is_held_for_the_smallest_amount(user: User) -> None:
    make_price(input_usd_per_1k=0, cached_input_usd_per_1k=0, output_usd_per_1k=0)

    assert estimate(user).credits == Decimal("0.000001")


def test_model_without_a_price_is_refused_or_gets_the_default_s(
    user: User, price: PricingConfig, settings: Any
) -> None:
    with pytest.raises(UnknownModel) as refusal:
        estimate(user, model="other-model")
    assert refusal.value.known == [MODEL]

    settings.DEFAULT_PRICE_MODEL = MODEL
    assert estimate(user, model="other-model").is_default_price
    assert not estimate(user).is_default_price
    with pytest.raises(UnknownModel):
        estimate(user, model="m" * 121)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("\u4f60\u597d\u4e16\u754c!", 2)]
)
def test_text_is_a_token_for_each_four_characters_begun(text: str, tokens: int) -> None:
    assert count_tokens(text, model=MODEL) == tokens


def count_words(text: str, model: str) -> int:
    return len(text.split())


def test_installation_s_tokenizer_is_asked_where_there_is_one(settings: Any) -> None:
    settings.TOKENIZER = "usage.tests.test_estimating.count_words"

    assert count_tokens("three short words", model=MODEL) == 3


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        ("abcdefgh", 6),
        ([{"role": "user", "content": "abcdefgh"}], 6),
        ([{"role": "user", "content": "abcdefgh"}] * 2, 12),
        ([{"role": "user", "content": [{"type": "text", "text": "abcd"}]}], 5),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:" + "x" * 9999}}]}], 1104),
        ([{"role": "user", "content": [{"type": "file", "text": "abcd", "file": {"file_data": "x" * 4000}}]}], 1012),
        ([{"role": "assistant", "content": None}], 4),
        ([], 0),
    ],
    ids=lambda value: str(value)[:50],
)
def test_conversation_is_counted(messages: Any, tokens: int) -> None:
    assert count_message_tokens(messages, model=MODEL) == tokens


def test_tools_and_the_client_s_own_messages_are_counted() -> None:

    message = ChatCompletionMessage(role="assistant", content="abcdefgh")

    assert count_message_tokens([message], model=MODEL) == 6
    assert count_message_tokens([], model=MODEL, tools=[{"type": "function"}]) == 6
