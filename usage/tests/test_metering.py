"""`metered`: from the estimate to the charge."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import User
from billing.errors import (
    CustomerFrozen,
    HoldEnded,
    HoldNotFound,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidRequest,
    KeyLimitReached,
    UnknownModel,
)
from billing.models import CreditHold, LedgerEntry, Notice, PricingConfig
from billing.services.customers import freeze_customer
from billing.services.holds import expire_stale_holds, release_hold
from billing.services.key_limits import placed_by_key
from billing.services.verification import find_ledger_faults
from billing.usage_cost import Tokens
from usage.metering import AlreadyCharged, MeteredCall, charge_credits, metered
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.calls import open_call
from usage.tests.factories import MODEL, balance_of, customer_of, make_key, make_operation_price, make_price, make_user

pytestmark = pytest.mark.django_db

PROMPT = "x" * 24  # 6 tokens, and 4 for the message


def call_of(user: User, key: str = "job-1", **fields: object) -> MeteredCall:
    return metered(user, MODEL, PROMPT, idempotency_key=key, **fields)  # type: ignore[arg-type]


def break_off(call: MeteredCall, *, delivered: str, reported: dict[str, int] | None = None) -> None:
    with call:
        call.deliver(delivered)
        call.report(reported)
        raise ConnectionError


def assert_books_are_right(user: User) -> None:
    assert list(find_ledger_faults(customer_ids=[customer_of(user).pk])) == []


def test_call_is_estimated_held_and_charged_by_what_was_reported(user: User, price: PricingConfig) -> None:
    with call_of(user, max_tokens=50) as call:
        assert (call.estimate, call.worst_case, call.held) == (110, 110, 110)
        assert balance_of(user).held == 110
        call.report({"prompt_tokens": 9, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 4}})

    assert call.charged == 5 + 2 + 40
    assert (balance_of(user).posted, balance_of(user).held) == (953, 0)
    event = UsageEvent.objects.get()
    assert event == call.event
    assert (event.estimated_credits, event.held_credits, event.credits) == (110, 110, 47)
    assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (9, 4, 20)
    assert (event.basis, event.status, event.price_id) == (Basis.REPORTED, UsageStatus.COMPLETED, price.pk)
    assert (event.cost_usd, event.hold) == (Decimal("0.047"), CreditHold.objects.get())
    assert event.entry == LedgerEntry.objects.get(kind="usage")
    assert_books_are_right(user)


def test_explicit_zero_is_charged_as_zero_even_if_text_came(user: User, price: PricingConfig) -> None:
    with call_of(user) as call:
        call.deliver("some text")
        call.report({"prompt_tokens": 0, "completion_tokens": 0})

    assert (call.charged, call.event.basis, call.event.entry) == (0, Basis.REPORTED, None)
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)
    assert_books_are_right(user)


def test_latest_report_of_a_stream_counts(user: User, price: PricingConfig) -> None:
    with call_of(user) as call:
        call.report({"prompt_tokens": 3, "completion_tokens": 1})
        call.report(None)
        call.report(Tokens(input=3, output=2))

    assert call.charged == 7


def test_what_was_delivered_is_counted_where_nothing_is_reported(user: User, price: PricingConfig) -> None:
    with call_of(user) as call:
        for piece in ("abc", None, "", "defg", "hi"):
            call.deliver(piece)

    assert (call.event.input_tokens, call.event.output_tokens) == (10, 3)
    assert (call.charged, call.event.basis) == (16, Basis.DELIVERED)


def test_nothing_reported_and_nothing_delivered_costs_nothing(user: User, price: PricingConfig) -> None:
    with call_of(user) as call:
        pass

    assert (call.charged, call.event.basis, call.event.status) == (0, Basis.NOTHING, UsageStatus.FAILED)
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)
    assert CreditHold.objects.get().state == "released"


def test_error_of_the_upstream_gives_the_hold_back_and_passes_on(user: User, price: PricingConfig) -> None:
    with pytest.raises(TimeoutError, match="upstream"), call_of(user) as call:
        raise TimeoutError("the upstream at 10.0.0.7 did not answer")

    assert (call.charged, call.event.status, call.event.failure) == (0, UsageStatus.FAILED, "TimeoutError")
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)


def test_stream_that_breaks_off_is_charged_by_what_went_out(user: User, price: PricingConfig) -> None:
    call = call_of(user)
    with pytest.raises(ConnectionError):
        break_off(call, delivered="abcdefgh")

    assert (call.charged, call.event.basis, call.event.status) == (14, Basis.DELIVERED, UsageStatus.INTERRUPTED)
    assert call.event.failure == "ConnectionError"


def test_stream_that_breaks_off_after_a_report_is_charged_by_the_report(user: User, price: PricingConfig) -> None:
    call = call_of(user)
    with pytest.raises(ConnectionError):
        break_off(call, delivered="abcdefgh", reported={"prompt_tokens": 4, "completion_tokens": 3})

    assert (call.charged, call.event.basis, call.event.status) == (10, Basis.REPORTED, UsageStatus.INTERRUPTED)


@pytest.mark.parametrize(("text", "status", "charged"), [("abcd", "interrupted", 12), ("", "failed", 0)])
def test_failure_without_an_exception_says_why(
    user: User, price: PricingConfig, text: str, status: str, charged: int
) -> None:
    with call_of(user) as call:
        call.deliver(text)
        call.fail("The answer was\0cut off.")

    assert (call.event.status, call.charged, call.event.failure) == (status, charged, "The answer was?cut off.")


def test_more_than_was_held_is_charged_below_zero(price: PricingConfig) -> None:
    user = make_user(credits=210)  # the worst case, for which it is held

    with call_of(user) as call:
        call.report(Tokens(input=10, output=150))

    assert (call.held, call.charged, balance_of(user).posted) == (210, 310, -100)
    with pytest.raises(InsufficientCredits):
        call_of(user, "job-2").open()
    assert_books_are_right(user)


def test_done_work_is_not_done_again(user: User, price: PricingConfig) -> None:
    with call_of(user) as call:
        call.report(Tokens(input=5))
    runs = 0

    with pytest.raises(AlreadyCharged) as refusal, call_of(user):
        runs += 1

    assert runs == 0
    assert refusal.value.event == call.event
    assert balance_of(user).posted == 995


def test_failed_work_may_be_tried_again_under_its_name(user: User, price: PricingConfig) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionError), call_of(user):
            raise ConnectionError

    with call_of(user) as call:
        call.report(Tokens(input=5))

    assert call.charged == 5
    assert balance_of(user).posted == 995
    assert UsageEvent.objects.filter(status=UsageStatus.FAILED).count() == 3
    assert UsageEvent.objects.get(event_id="job-1") == call.event
    assert_books_are_right(user)


def test_worker_that_fails_does_not_make_the_other_one_s_work_free(user: User, price: PricingConfig) -> None:
    key = make_key(user, monthly_limit=220).key
    failing, working = (call_of(user, api_key=key).open() for _ in range(2))
    failing.fail("It was stopped.")
    failing.close()
    working.report(Tokens(input=300))

    assert (working.close().credits, balance_of(user).posted, balance_of(user).held) == (300, 700, 0)
    assert key.spending.spent == 300
    assert working.event.entry == LedgerEntry.objects.get(kind="usage")
    assert (failing.event.status, working.event.status) == (UsageStatus.FAILED, UsageStatus.COMPLETED)
    assert_books_are_right(user)
    with pytest.raises(AlreadyCharged):
        call_of(user, api_key=key).open()
    with pytest.raises(HoldEnded):
        open_call(
            customer_id=customer_of(user).pk,
            model=MODEL,
            input_tokens=1,
            max_tokens=1,
            event_id="job-1",
            api_key=key,
        )


def test_charged_work_stays_charged_when_the_other_worker_fails(user: User, price: PricingConfig) -> None:
    failing, working = (call_of(user).open() for _ in range(2))
    working.report(Tokens(input=300))
    working.close()

    assert failing.close() == working.event
    assert balance_of(user).posted == 700


def test_one_name_for_another_call_is_a_conflict(user: User, price: PricingConfig) -> None:
    make_price("big-model")
    call_of(user).open()

    with pytest.raises(IdempotencyConflict):
        metered(user, "big-model", PROMPT, idempotency_key="job-1").open()


def test_call_outside_a_block_is_opened_and_closed_once(user: User, price: PricingConfig) -> None:
    call = call_of(user)
    call.open()
    with call:
        call.report(Tokens(input=5))
    call.report(Tokens(input=500))

    assert call.close() == call.event == UsageEvent.objects.get()
    assert balance_of(user).posted == 995


def test_not_opened_call_has_nothing_to_say(user: User, price: PricingConfig) -> None:
    call = call_of(user)

    assert call.estimate == 210
    with pytest.raises(RuntimeError, match="not opened"):
        call.close()
    with pytest.raises(RuntimeError, match="not ended"):
        _ = call.charged
    assert not CreditHold.objects.exists()


def test_hold_of_a_metered_call_cannot_be_ended_by_its_key(user: User, price: PricingConfig) -> None:
    key = make_key(user).key
    call = call_of(user, api_key=key).open()
    hold = CreditHold.objects.get()

    with pytest.raises(HoldNotFound):
        release_hold(hold=hold.public_id, placed_by=placed_by_key(key))

    call.report(Tokens(input=5))
    assert (call.close().credits, call.event.api_key) == (5, key)


def test_frozen_customer_is_not_served_but_what_runs_is_charged(user: User, price: PricingConfig) -> None:
    running = call_of(user).open()
    freeze_customer(customer_id=customer_of(user).pk, reason="Dispute")
    running.report(Tokens(input=5))

    assert running.close().credits == 5
    with pytest.raises(CustomerFrozen):
        call_of(user, "job-2").open()


def test_price_that_changes_in_the_middle_holds_for_calls_opened_after(user: User, price: PricingConfig) -> None:
    before = call_of(user).open()
    dearer = make_price(since=timezone.now(), input_usd_per_1k=10)
    after = call_of(user, "job-2").open()

    for call in (before, after):
        call.report(Tokens(input=10))
        call.close()

    assert (before.charged, before.event.price) == (10, price)
    assert (after.charged, after.event.price) == (100, dearer)


def test_unknown_model_is_refused_with_those_there_are(user: User, price: PricingConfig) -> None:
    with pytest.raises(UnknownModel, match=MODEL):
        metered(user, "no-model", PROMPT, idempotency_key="job-1")
    with pytest.raises(UnknownModel):
        metered(user, "no\0model", PROMPT, idempotency_key="job-1")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**10}, "max_tokens"),
        ({"key": ""}, "idempotency_key"),
        ({"key": "k" * 201}, "idempotency_key"),
        ({"key": "a\0b"}, "idempotency_key"),
        ({"key": "api:1"}, "idempotency_key"),
        ({"key": "failed:1"}, "idempotency_key"),
        ({"metadata": {"a": "\0"}}, "metadata.a"),
        ({"metadata": {"a": ["list"]}}, "metadata.a"),
        ({"metadata": {"a": float("nan")}}, "metadata.a"),
        ({"metadata": {"a": 2**70}}, "metadata.a"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {str(number): 1 for number in range(51)}}, "metadata"),
    ],
    ids=str,
)
def test_what_cannot_be_stored_is_refused_before_the_work(
    user: User, price: PricingConfig, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        call_of(user, **fields).open()  # type: ignore[arg-type]

    assert refusal.value.field == field
    assert not CreditHold.objects.exists()


def test_late_settlement_of_an_expired_hold_counts_once(user: User, price: PricingConfig) -> None:
    first = call_of(user).open()
    CreditHold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    expire_stale_holds(now=timezone.now())
    assert balance_of(user).held == 0
    second = call_of(user).open()
    first.report(Tokens(input=5))
    second.report(Tokens(input=7))

    assert first.close() == second.close()

    assert (balance_of(user).posted, balance_of(user).held) == (995, 0)
    assert first.event.entry is not None
    assert first.event.entry.is_late
    assert_books_are_right(user)


def test_a_key_whose_limit_refuses_a_call_is_told_of_as_by_the_api(user: User, price: PricingConfig) -> None:
    key = make_key(user, monthly_limit=Decimal(1)).key

    for name in ("job-1", "job-2"):
        with pytest.raises(KeyLimitReached), call_of(user, name, api_key=key):
            pass

    notice = Notice.objects.get(event="key.limit_reached")
    assert notice.payload == {"key": key.key_id, "name": "Test", "limit": "1.000000"}


def test_an_operation_that_a_keys_limit_refuses_is_told_of_too(user: User) -> None:
    make_operation_price("image", credits=5)
    key = make_key(user, monthly_limit=Decimal(1)).key

    with pytest.raises(KeyLimitReached), charge_credits(user, operation="image", idempotency_key="a", api_key=key):
        pass

    assert Notice.objects.filter(event="key.limit_reached").count() == 1
