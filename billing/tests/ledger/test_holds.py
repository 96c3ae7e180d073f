"""Holds: credits set aside for work in progress."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.errors import (
    CustomerFrozen,
    HoldNotFound,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidAmount,
)
from billing.models import BillingCustomer, CreditBalance, CreditHold
from billing.selectors.balances import read_balance
from billing.services.customers import freeze_customer
from billing.services.holds import expire_stale_holds, release_hold, settle_hold
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    give,
    hold_for,
    kinds_of,
    use,
)

pytestmark = pytest.mark.django_db

DEFAULT_LIFETIME = timedelta(minutes=15)
LATE_WINDOW = timedelta(hours=24)


def test_a_hold_sets_credits_aside_and_moves_none(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)

    balance = read_balance(customer_id=rich.pk, now=clock.now)
    assert balance is not None
    assert (balance.posted, balance.held, balance.available) == (100, 30, 70)
    assert (hold.state, hold.placed_at, hold.expires_at) == ("open", clock.now, clock.now + DEFAULT_LIFETIME)
    assert kinds_of(rich) == ["promotion"]
    assert_books_are_right(rich)


def test_all_that_is_available_can_be_held(rich: BillingCustomer) -> None:
    hold_for(rich, 100)

    assert balance_of(rich).held == 100


def test_more_than_is_available_cannot_be_held(rich: BillingCustomer) -> None:
    hold_for(rich, 30, key="api:first")

    with pytest.raises(InsufficientCredits) as refusal:
        hold_for(rich, "70.000001")

    assert refusal.value.available == 70
    assert CreditHold.objects.count() == 1
    assert balance_of(rich).held == 30


def test_held_credits_cannot_be_spent_by_others(rich: BillingCustomer) -> None:
    hold_for(rich, 30)

    with pytest.raises(InsufficientCredits):
        use(rich, 71)
    use(rich, 70)

    assert balance_of(rich).posted == 30


def test_a_hold_may_use_the_overdraft() -> None:
    customer = make_customer(overdraft_limit=5)

    hold_for(customer, 5)

    with pytest.raises(InsufficientCredits):
        hold_for(customer, 1, key="api:more")


def test_a_frozen_customer_cannot_hold_but_what_is_held_can_be_settled_and_released(rich: BillingCustomer) -> None:
    first, second = hold_for(rich, 10, key="api:1"), hold_for(rich, 10, key="api:2")
    freeze_customer(customer_id=rich.pk, reason="Dispute")

    with pytest.raises(CustomerFrozen):
        hold_for(rich, 1, key="api:3")
    settle_hold(hold=first.public_id, amount=10)
    release_hold(hold=second.public_id)

    assert (balance_of(rich).posted, balance_of(rich).held) == (90, 0)


@pytest.mark.parametrize("amount", [0, -1, "0.0000001", "NaN", 1.5])
def test_a_hold_of_no_positive_amount_is_refused(rich: BillingCustomer, amount: object) -> None:
    with pytest.raises(InvalidAmount):
        hold_for(rich, amount)  # type: ignore[arg-type]


def test_a_hold_is_never_extended(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)
    clock.move(minutes=10)

    again = hold_for(rich, 30)

    assert again.expires_at == hold.expires_at


def test_a_lifetime_can_be_chosen(rich: BillingCustomer, clock: Clock) -> None:
    assert hold_for(rich, 1, lifetime=timedelta(hours=2)).expires_at == clock.after(hours=2)


def test_the_same_key_gives_the_first_hold_in_whatever_state(rich: BillingCustomer) -> None:
    first = hold_for(rich, 30)
    assert hold_for(rich, 30).pk == first.pk
    settle_hold(hold=first.public_id, amount=30)

    assert hold_for(rich, 30).state == "settled"
    assert balance_of(rich).held == 0


@pytest.mark.parametrize("change", [{"amount": 31}, {"placed_by": "key_7"}], ids=str)
def test_another_hold_with_the_key_is_a_conflict(rich: BillingCustomer, change: dict[str, object]) -> None:
    hold_for(rich, 30)

    with pytest.raises(IdempotencyConflict):
        hold_for(rich, **({"amount": 30} | change))  # type: ignore[arg-type]


def test_only_who_placed_a_hold_can_end_it(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30, placed_by="key_1")

    with pytest.raises(HoldNotFound):
        settle_hold(hold=hold.public_id, amount=1, placed_by="key_2")
    with pytest.raises(HoldNotFound):
        release_hold(hold=hold.public_id, placed_by="key_2")
    settle_hold(hold=hold.public_id, amount=1, placed_by="key_1")

    assert balance_of(rich).posted == 99


def test_what_a_metered_call_holds_for_a_caller_is_not_the_caller_s_to_end(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30, key="usage:1:chat", placed_by="key_1")

    with pytest.raises(HoldNotFound):
        settle_hold(hold=hold.public_id, amount=0, placed_by="key_1")
    with pytest.raises(HoldNotFound):
        release_hold(hold=hold.public_id, placed_by="key_1")
    settle_hold(hold=hold.public_id, amount=5)

    assert balance_of(rich).posted == 95


def test_the_system_can_end_every_hold(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30, placed_by="key_1")

    assert release_hold(hold=hold.public_id).state == "released"


def test_an_unknown_hold_is_not_found() -> None:
    with pytest.raises(HoldNotFound):
        settle_hold(hold="hold_unknown", amount=1)


def test_placing_a_hold_while_a_grant_lapses_keeps_both(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 7)
    give(customer, 1, expires_at=clock.after(hours=1))
    clock.move(hours=1)

    hold_for(customer, 1)

    assert (balance_of(customer).posted, balance_of(customer).held) == (7, 1)
    assert_books_are_right(customer)


def test_one_customer_with_broken_books_does_not_keep_others_held(rich: BillingCustomer, clock: Clock) -> None:
    other = make_customer()
    give(other, 10)
    hold_for(rich, 10)
    clock.move(seconds=1)
    hold_for(other, 10)
    CreditBalance.objects.filter(pk=rich.pk).update(posted=7)
    clock.move(hours=1)

    with pytest.raises(RuntimeError, match="1 holds could not be ended"):
        expire_stale_holds(now=clock.now)

    assert balance_of(other).held == 0


def test_the_database_refuses_a_hold_below_nothing_held(rich: BillingCustomer) -> None:
    with pytest.raises(IntegrityError, match="held_not_negative"), transaction.atomic():
        CreditBalance.objects.filter(pk=rich.pk).update(held=-1)


def test_a_plain_read_never_shows_less_than_nothing_available(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)
    hold_for(rich, 70, key="api:rest")
    settle_hold(hold=hold.public_id, amount=90)

    balance = read_balance(customer_id=rich.pk, now=timezone.now())

    assert balance is not None
    assert (balance.posted, balance.held, balance.available, balance.debt) == (10, 70, 0, 0)
