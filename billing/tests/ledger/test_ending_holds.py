"""How holds end: settled with the true cost, released, or expired; once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from billing.errors import (
    HoldEnded,
    InvalidAmount,
)
from billing.ledger import holding
from billing.models import BillingCustomer, CreditHold, LedgerEntry
from billing.services.holds import expire_stale_holds, release_hold, settle_hold
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    drawn_on,
    give,
    hold_for,
    kinds_of,
    uncovered_of,
)

pytestmark = pytest.mark.django_db

DEFAULT_LIFETIME = timedelta(minutes=15)
LATE_WINDOW = timedelta(hours=24)


@pytest.mark.parametrize("cost", ["0.000001", "29.999999", 30, "30.000001", 100])
def test_settling_charges_the_true_cost_whatever_was_held(rich: BillingCustomer, cost: str | int) -> None:
    hold = hold_for(rich, 30)

    settled = settle_hold(hold=hold.public_id, amount=cost, description="Summary").hold

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

    settled = settle_hold(hold=hold.public_id, amount=0).hold
    again = settle_hold(hold=hold.public_id, amount=0).hold

    assert (settled.state, again.state, settled.settled_amount) == ("settled", "settled", 0)
    assert kinds_of(rich) == ["promotion"]
    assert balance_of(rich).held == 0


def test_the_same_settlement_again_charges_nothing(rich: BillingCustomer) -> None:
    hold = hold_for(rich, 30)
    settle_hold(hold=hold.public_id, amount=20)

    again = settle_hold(hold=hold.public_id, amount="20.0").hold

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
    settled = settle_hold(hold=hold.public_id, amount=20).hold

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

    settled = settle_hold(hold=hold.public_id, amount=20).hold
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
