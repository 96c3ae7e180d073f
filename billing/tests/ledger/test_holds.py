"""Holds: credits set aside for work in progress."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.errors import (
    CustomerFrozen,
    HoldEnded,
    HoldNotFound,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidAmount,
)
from billing.ledger import holding
from billing.models import BillingCustomer, CreditBalance, CreditHold, LedgerEntry
from billing.selectors.balances import read_balance
from billing.services.customers import freeze_customer
from billing.services.holds import expire_stale_holds, place_hold, release_hold, settle_hold
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import (
    Amount,
    assert_books_are_right,
    balance_of,
    drawn_on,
    give,
    kinds_of,
    uncovered_of,
    use,
)

pytestmark = pytest.mark.django_db

DEFAULT_LIFETIME = timedelta(minutes=15)
LATE_WINDOW = timedelta(hours=24)


def hold_for(customer: BillingCustomer, amount: Amount, *, key: str = "api:hold", **fields: object) -> CreditHold:
    return place_hold(customer_id=customer.pk, amount=amount, key=key, **fields)  # type: ignore[arg-type]


@pytest.fixture
def rich(customer: BillingCustomer) -> BillingCustomer:
    give(customer, 100)
    return customer


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


@pytest.mark.parametrize("cost", ["0.000001", "29.999999", 30, "30.000001", 100])
def test_settling_charges_the_true_cost_whatever_was_held(rich: BillingCustomer, cost: str | int) -> None:
    hold = hold_for(rich, 30)

    settled = settle_hold(hold=hold.public_id, amount=cost, description="Summary")

    assert (settled.state, settled.settled_amount, settled.is_late) == ("settled", Decimal(cost), False)
    entry = LedgerEntry.objects.get(hold=hold)
    assert (entry.kind, entry.amount, entry.description, entry.is_late) == ("usage", -Decimal(cost), "Summary", False)
    assert (balance_of(rich).posted, balance_of(rich).held) == (100 - Decimal(cost), 0)
    assert_books_are_right(rich)


def test_settling_may_go_below_zero_because_the_work_is_done(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)

    settle_hold(hold=hold.public_id, amount=130)

    assert balance_of(rich).posted == -30
    assert uncovered_of(LedgerEntry.objects.get(hold=hold)) == 30
    assert_books_are_right(rich)


def test_settling_for_nothing_ends_the_hold_without_an_entry(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)

    settled = settle_hold(hold=hold.public_id, amount=0)
    again = settle_hold(hold=hold.public_id, amount=0)

    assert (settled.state, again.state, settled.settled_amount) == ("settled", "settled", 0)
    assert kinds_of(rich) == ["promotion"]
    assert balance_of(rich).held == 0


def test_the_same_settlement_again_charges_nothing(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)
    settle_hold(hold=hold.public_id, amount=20)

    again = settle_hold(hold=hold.public_id, amount="20.0")

    assert again.state == "settled"
    assert balance_of(rich).posted == 80


@pytest.mark.parametrize("cost", [0, 19, 21])
def test_a_second_settlement_with_another_cost_is_refused(rich: BillingCustomer, cost: int) -> None:
    hold = hold_for(rich, 30)
    settle_hold(hold=hold.public_id, amount=20)

    with pytest.raises(HoldEnded) as refusal:
        settle_hold(hold=hold.public_id, amount=cost)

    assert refusal.value.state == "settled"
    assert balance_of(rich).posted == 80


@pytest.mark.parametrize("cost", [-1, "1.0000001", 2.5])
def test_a_settlement_of_no_amount_is_refused(rich: BillingCustomer, cost: object) -> None:
    hold = hold_for(rich, 30)

    with pytest.raises(InvalidAmount):
        settle_hold(hold=hold.public_id, amount=cost)  # type: ignore[arg-type]

    assert CreditHold.objects.get().state == "open"


def test_releasing_gives_everything_back(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)

    released = release_hold(hold=hold.public_id)
    again = release_hold(hold=hold.public_id)

    assert (released.state, again.state) == ("released", "released")
    assert (balance_of(rich).posted, balance_of(rich).held) == (100, 0)
    assert_books_are_right(rich)


def test_a_released_hold_cannot_be_settled(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)
    release_hold(hold=hold.public_id)

    with pytest.raises(HoldEnded):
        settle_hold(hold=hold.public_id, amount=1)

    assert balance_of(rich).posted == 100


def test_a_settled_hold_cannot_be_released(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)
    settle_hold(hold=hold.public_id, amount=1)

    with pytest.raises(HoldEnded):
        release_hold(hold=hold.public_id)


def test_releasing_an_expired_hold_changes_nothing(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)
    expire_stale_holds(now=clock.move(minutes=15))

    assert release_hold(hold=hold.public_id).state == "expired"
    assert balance_of(rich).held == 0


def test_a_hold_expires_exactly_when_its_time_is_over(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)

    clock.move(minutes=14, seconds=59)
    assert expire_stale_holds(now=clock.now) == 0
    clock.move(seconds=1)
    assert expire_stale_holds(now=clock.now) == 1

    hold.refresh_from_db()
    assert (hold.state, hold.ended_at) == ("expired", clock.now)
    assert balance_of(rich).held == 0
    assert_books_are_right(rich)


def test_a_hold_is_never_extended(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)
    clock.move(minutes=10)

    again = hold_for(rich, 30)

    assert again.expires_at == hold.expires_at


def test_a_lifetime_can_be_chosen(rich: BillingCustomer, clock: Clock) -> None:
    assert hold_for(rich, 1, lifetime=timedelta(hours=2)).expires_at == clock.after(hours=2)


@pytest.mark.parametrize(
    ("late_by", "is_charged"), [(LATE_WINDOW, True), (LATE_WINDOW + timedelta(microseconds=1), False)]
)
def test_an_expired_hold_may_be_settled_for_a_day_and_no_longer(
    rich: BillingCustomer, clock: Clock, late_by: timedelta, is_charged: bool
) -> None:
    hold = hold_for(rich, 30)
    expire_stale_holds(now=clock.move(minutes=15))
    clock.move(seconds=late_by.total_seconds())

    if not is_charged:
        with pytest.raises(HoldEnded):
            settle_hold(hold=hold.public_id, amount=20)
        assert balance_of(rich).posted == 100
        return
    settled = settle_hold(hold=hold.public_id, amount=20)

    assert settled.is_late
    assert LedgerEntry.objects.get(hold=hold).is_late
    assert (balance_of(rich).posted, balance_of(rich).held) == (80, 0)
    assert_books_are_right(rich)


def test_a_late_settlement_happens_once(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)
    expire_stale_holds(now=clock.move(minutes=15))
    settle_hold(hold=hold.public_id, amount=20)

    settle_hold(hold=hold.public_id, amount=20)
    with pytest.raises(HoldEnded):
        settle_hold(hold=hold.public_id, amount=21)

    assert balance_of(rich).posted == 80


def test_a_hold_past_its_time_that_nobody_swept_can_still_be_settled(rich: BillingCustomer, clock: Clock) -> None:
    hold = hold_for(rich, 30)
    clock.move(minutes=20)

    settled = settle_hold(hold=hold.public_id, amount=20)
    expire_stale_holds(now=clock.now)

    assert (settled.state, balance_of(rich).posted, balance_of(rich).held) == ("settled", 80, 0)


def test_expiring_ends_no_hold_that_has_ended_or_has_time(rich: BillingCustomer, clock: Clock) -> None:
    ended, open_hold = hold_for(rich, 5, key="api:1"), hold_for(rich, 5, key="api:2", lifetime=timedelta(hours=1))
    settle_hold(hold=ended.public_id, amount=5)
    clock.move(minutes=30)

    for hold in (ended, open_hold):
        with transaction.atomic():
            holding.expire(public_id=hold.public_id)

    assert sorted(CreditHold.objects.values_list("state", flat=True)) == ["open", "settled"]


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


def test_a_late_settlement_leaves_what_other_holds_keep(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 20, expires_at=clock.after(hours=1))
    lasting = give(customer, 20)
    late = hold_for(customer, 10, key="api:late")
    expire_stale_holds(now=clock.move(minutes=15))
    hold_for(customer, 10, key="api:other", lifetime=timedelta(hours=5))
    clock.move(hours=1)

    settle_hold(hold=late.public_id, amount=10)

    assert drawn_on(LedgerEntry.objects.get(hold=late)) == [(lasting.pk, 10)]
    assert kinds_of(customer) == ["promotion", "promotion", "expiry", "usage"]
    assert balance_of(customer).posted == 20
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
