"""The front door: what application code sees of credits."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from billing import credits
from billing.credits import (
    add_credits,
    deduct_credits,
    get_balance,
    has_enough_credits,
    hold_credits,
    require_credits,
    spends_credits,
)
from billing.errors import (
    BillingError,
    CustomerFrozen,
    HoldEnded,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidAmount,
    InvalidRequest,
)
from billing.kinds import GRANT_PRIORITIES, EntryKind
from billing.models import BillingCustomer, CreditBalance, CreditHold, LedgerEntry
from billing.services.customers import ensure_customer, freeze_customer

pytestmark = pytest.mark.django_db

NO_AMOUNTS = [
    0,
    -1,
    "0",
    "-0.5",
    1.5,
    1.0,
    float("nan"),
    float("inf"),
    "NaN",
    "Infinity",
    "0.0000001",
    10**14,
    "",
    "abc",
]
NO_AMOUNTS += [None, True]


class Boom(Exception):
    """What an application's work may raise."""


@pytest.fixture
def user() -> User:
    return User.objects.create_user(email="ada@example.com", password="x")


@pytest.fixture
def rich(user: User) -> User:
    add_credits(user, 100, kind="promotion", idempotency_key="welcome")
    return user


def deduct(user: User, amount: object, key: str = "once") -> LedgerEntry:
    return deduct_credits(user, amount, description="Image", idempotency_key=key)  # type: ignore[arg-type]


# Balance


def test_a_new_user_has_an_empty_balance(user: User) -> None:
    balance = get_balance(user)

    assert (balance.posted, balance.held, balance.available, balance.debt) == (0, 0, 0, 0)
    assert not balance.is_frozen
    assert BillingCustomer.objects.get(user=user).balance.posted == 0


def test_reading_a_balance_takes_one_query(rich: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert get_balance(rich).available == 100


def test_a_customer_without_a_balance_row_is_an_alarm(user: User) -> None:
    BillingCustomer.objects.create(user=user)

    with pytest.raises(RuntimeError, match="without a balance row"):
        get_balance(user)


def test_a_balance_is_low_below_the_threshold_and_not_at_it(rich: User, settings: Settings) -> None:
    settings.LOW_BALANCE_THRESHOLD = Decimal(100)
    assert not get_balance(rich).is_low

    deduct(rich, "0.000001")

    assert get_balance(rich).is_low


@pytest.mark.parametrize(("amount", "is_enough"), [(100, True), ("100.000001", False), (1, True)])
def test_enough_is_exactly_enough(rich: User, amount: str | int, is_enough: bool) -> None:
    assert has_enough_credits(rich, amount) is is_enough


def test_a_frozen_customer_never_has_enough(rich: User) -> None:
    freeze_customer(customer_id=ensure_customer(user=rich).pk, reason="Dispute")

    assert not has_enough_credits(rich, 1)


# Adding and spending


def test_added_credits_can_be_spent(user: User) -> None:
    lapses = timezone.now() + timedelta(days=1)

    added = add_credits(
        user,
        "12.5",
        kind="promotion",
        idempotency_key="a",
        description="Hello",
        expires_at=lapses,
        source_type="campaign",
    )
    spent = deduct(user, "2.5")

    assert (added.kind, added.amount, added.balance_after, added.description) == (
        "promotion",
        Decimal("12.5"),
        Decimal("12.5"),
        "Hello",
    )
    assert (spent.kind, spent.amount, spent.balance_after, spent.description) == ("usage", Decimal("-2.5"), 10, "Image")
    assert get_balance(user).next_expiry_at == lapses


@pytest.mark.parametrize("kind", sorted(set(GRANT_PRIORITIES) - {EntryKind.PURCHASE, EntryKind.AUTO_TOP_UP}))
def test_every_kind_that_comes_in_as_a_grant_adds_credits(user: User, kind: EntryKind) -> None:
    assert add_credits(user, 1, kind=kind, idempotency_key="a").kind == kind


@pytest.mark.parametrize(
    "kind", [*sorted(set(EntryKind) - set(GRANT_PRIORITIES)), "purchase", "auto_top_up", "gift", ""]
)
def test_a_kind_that_adds_nothing_is_refused_with_those_that_do(user: User, kind: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        add_credits(user, 1, kind=kind, idempotency_key="a")

    assert refusal.value.field == "kind"
    assert "promotion" in refusal.value.remedy


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=repr)
def test_what_is_no_positive_amount_moves_nothing(rich: User, amount: object) -> None:
    calls: list[Callable[[], object]] = [
        lambda: add_credits(rich, amount, kind="promotion", idempotency_key="b"),  # type: ignore[arg-type]
        lambda: deduct(rich, amount),
        lambda: hold_credits(rich, amount, idempotency_key="b").__enter__(),  # type: ignore[arg-type]
        lambda: has_enough_credits(rich, amount),  # type: ignore[arg-type]
        lambda: require_credits(amount),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(InvalidAmount):
            call()

    assert get_balance(rich).posted == 100
    assert not CreditHold.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "\ud800"], ids=["empty", "too long", "NUL", "half a pair"])
def test_a_key_that_cannot_be_stored_is_refused(rich: User, key: str) -> None:
    for call in (
        lambda: add_credits(rich, 1, kind="promotion", idempotency_key=key),
        lambda: deduct(rich, 1, key),
        lambda: hold_credits(rich, 1, idempotency_key=key).__enter__(),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            call()
        assert refusal.value.field == "idempotency_key"


@pytest.mark.parametrize("key", ["k", "x" * 255, "Schlüssel 🔑"])
def test_any_other_key_is_taken_as_it_is(rich: User, key: str) -> None:
    assert deduct(rich, 1, key).idempotency_key == f"api:{key}"


@pytest.mark.parametrize(("field", "limit"), [("description", 500), ("source_type", 40), ("source_id", 100)])
def test_texts_are_stored_whole_or_refused(rich: User, field: str, limit: int) -> None:
    texts: dict[str, Any] = {"description": "Image"}

    entry = deduct_credits(rich, 1, idempotency_key="a", **(texts | {field: "ü" * limit}))
    assert getattr(entry, field) == "ü" * limit

    for text in ("x" * (limit + 1), "a\0b", "\udfff"):
        with pytest.raises(InvalidRequest) as refusal:
            deduct_credits(rich, 1, idempotency_key="b", **(texts | {field: text}))
        assert refusal.value.field == field
    assert get_balance(rich).posted == 99


def test_a_callers_key_never_meets_one_of_ours(user: User) -> None:
    ours = add_credits(user, 1, kind="promotion", idempotency_key="bonus:signup")

    assert ours.idempotency_key == "api:bonus:signup"


def test_the_same_call_again_gives_the_first_entry(rich: User) -> None:
    assert deduct(rich, 5).pk == deduct(rich, "5.00").pk
    assert get_balance(rich).posted == 95


def test_another_call_with_the_key_is_a_conflict(rich: User) -> None:
    deduct(rich, 5)

    with pytest.raises(IdempotencyConflict):
        deduct(rich, 6)


def test_a_deduction_of_too_much_is_refused(rich: User) -> None:
    with pytest.raises(InsufficientCredits):
        deduct(rich, "100.000001")


def test_a_frozen_customers_deduction_is_refused(rich: User) -> None:
    freeze_customer(customer_id=ensure_customer(user=rich).pk, reason="Dispute")

    with pytest.raises(CustomerFrozen):
        deduct(rich, 1)


# Holding


def test_a_hold_is_settled_with_the_true_cost(rich: User) -> None:
    with hold_credits(rich, 30, idempotency_key="work", description="Summary") as hold:
        assert get_balance(rich).available == 70
        hold.settle("12.5", description="Summary of 3 pages")

    balance = get_balance(rich)
    assert (balance.posted, balance.held) == (Decimal("87.5"), 0)
    assert LedgerEntry.objects.get(kind="usage").description == "Summary of 3 pages"
    assert CreditHold.objects.get(public_id=hold.id).settled_amount == Decimal("12.5")


@pytest.mark.parametrize(("cost", "left"), [(0, 100), (30, 70), (45, 55), (130, -30)])
def test_the_cost_may_be_nothing_or_more_than_was_held(rich: User, cost: int, left: int) -> None:
    with hold_credits(rich, 30, idempotency_key="work") as hold:
        hold.settle(cost)

    assert get_balance(rich).posted == left


def test_an_exception_releases_the_hold_and_passes_on(rich: User) -> None:
    with pytest.raises(Boom), hold_credits(rich, 30, idempotency_key="work"):
        raise Boom

    balance = get_balance(rich)
    assert (balance.posted, balance.held) == (100, 0)
    assert CreditHold.objects.get().state == "released"


def test_an_exception_after_settling_leaves_the_charge(rich: User) -> None:
    def work() -> None:
        with hold_credits(rich, 30, idempotency_key="work") as hold:
            hold.settle(10)
            raise Boom

    with pytest.raises(Boom):
        work()

    assert get_balance(rich).posted == 90
    assert CreditHold.objects.get().state == "settled"


def test_a_block_that_does_not_settle_is_a_mistake_and_charges_nothing(rich: User) -> None:
    with pytest.raises(RuntimeError, match="ended without settling"), hold_credits(rich, 30, idempotency_key="work"):
        pass

    assert CreditHold.objects.get().state == "released"
    assert get_balance(rich).available == 100


def test_a_settlement_that_is_refused_releases_the_hold(rich: User) -> None:
    def work() -> None:
        with hold_credits(rich, 30, idempotency_key="work") as hold:
            hold.settle(2.5)  # type: ignore[arg-type]

    with pytest.raises(InvalidAmount):
        work()

    assert CreditHold.objects.get().state == "released"


def test_the_same_work_again_with_the_same_cost_is_charged_once(rich: User) -> None:
    for _ in range(2):
        with hold_credits(rich, 30, idempotency_key="work") as hold:
            hold.settle(10)

    assert get_balance(rich).posted == 90


def test_a_key_whose_hold_was_released_does_not_start_the_work_again(rich: User) -> None:
    with pytest.raises(ZeroDivisionError), hold_credits(rich, 30, idempotency_key="work"):
        raise ZeroDivisionError

    with pytest.raises(HoldEnded), hold_credits(rich, 30, idempotency_key="work"):
        pytest.fail("The work was started, and nothing would pay for it.")


def test_settling_twice_with_another_cost_is_refused(rich: User) -> None:
    with hold_credits(rich, 30, idempotency_key="work") as hold:
        hold.settle(10)
        with pytest.raises(HoldEnded):
            hold.settle(11)

    assert get_balance(rich).posted == 90


def test_more_than_is_available_cannot_be_held(rich: User) -> None:
    with pytest.raises(InsufficientCredits), hold_credits(rich, 101, idempotency_key="work"):
        pytest.fail("the block must not run")


def test_a_hold_may_live_as_long_as_the_work_needs(rich: User) -> None:
    with hold_credits(rich, 1, idempotency_key="work", lifetime=timedelta(hours=3)) as hold:
        assert hold.row.expires_at - hold.row.placed_at == timedelta(hours=3)
        hold.settle(1)


# The decorator


@require_credits(50)
def view(request: HttpRequest, word: str = "made") -> HttpResponse:
    return HttpResponse(word)


def ask(user: object, accept: str = "text/html") -> HttpResponse:
    request = RequestFactory().get("/", headers={"accept": accept})
    request.user = user  # type: ignore[assignment]
    return view(request, word="image")


@pytest.mark.parametrize("spent", [0, 50])
def test_a_view_is_called_with_enough_credits(rich: User, spent: int) -> None:
    if spent:
        deduct(rich, spent)

    assert ask(rich).content == b"image"


def test_with_too_few_credits_a_page_says_what_is_missing(rich: User) -> None:
    deduct(rich, "50.5")

    answer = ask(rich)

    page = answer.content.decode()
    assert answer.status_code == 402
    assert "This needs 50 credits; you have 49.5." in page
    assert "/billing/buy/" in page


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json"])
def test_a_program_gets_a_problem_document(user: User, accept: str) -> None:
    answer = ask(user, accept)

    assert (answer.status_code, answer["Content-Type"]) == (402, "application/problem+json")
    problem = json.loads(answer.content)
    assert (problem["code"], problem["status"]) == ("insufficient_credits", 402)
    assert (Decimal(problem["available"]), Decimal(problem["required"])) == (0, 50)
    assert problem["top_up_url"].endswith("/billing/buy/")


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_frozen_customer_is_told_so_and_not_that_credits_are_missing(rich: User, accept: str) -> None:
    freeze_customer(customer_id=ensure_customer(user=rich).pk, reason="Dispute")

    answer = ask(rich, accept)

    assert answer.status_code == 403
    assert "contact support" in answer.content.decode()


def test_a_guarded_view_without_a_user_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="login_required"):
        ask(AnonymousUser())


@spends_credits()
def spending_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("spent" if request.method == "POST" else "read")


def send(user: object, method: str) -> HttpResponse:
    request = RequestFactory().generic(method, "/")
    request.user = user  # type: ignore[assignment]
    return spending_view(request)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_page_that_spends_is_read_without_credits(user: User, method: str) -> None:
    assert send(user, method).content == b"read"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_page_that_spends_refuses_what_is_sent_without_credits(user: User, method: str) -> None:
    answer = send(user, method)

    assert answer.status_code == 402
    assert "Not enough credits" in answer.content.decode()


def test_page_that_spends_takes_what_is_sent_by_any_credits_or_by_an_overdraft(rich: User, user: User) -> None:
    deduct(rich, "99.999999")
    CreditBalance.objects.filter(customer=ensure_customer(user=user)).update(overdraft_limit=1)

    assert send(rich, "POST").content == b"spent"
    assert send(user, "POST").content == b"spent"


def test_page_that_spends_can_be_read_while_frozen(rich: User) -> None:
    freeze_customer(customer_id=ensure_customer(user=rich).pk, reason="Dispute")

    assert send(rich, "GET").status_code == 200
    assert send(rich, "POST").status_code == 403


def test_the_front_door_shows_what_it_promises() -> None:
    promised = {"get_balance", "has_enough_credits", "add_credits", "deduct_credits", "hold_credits", "require_credits"}
    promised |= {"spends_credits"}

    assert promised <= set(credits.__all__)
    assert all(issubclass(refusal, BillingError) for refusal in (InvalidAmount, InvalidRequest, HoldEnded))
