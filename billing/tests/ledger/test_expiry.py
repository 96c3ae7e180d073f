"""Expiry: inside every write, and never of what open holds keep."""

from datetime import timedelta

import pytest

from billing.errors import InsufficientCredits
from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditBalance, LedgerEntry
from billing.services.expiry import expire_lapsed_credits
from billing.services.holds import place_hold, release_hold, settle_hold
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    buy,
    claw_back,
    drawn_on,
    give,
    grant_of,
    kinds_of,
    post_one,
    reinstate,
    uncovered_of,
    use,
)

pytestmark = pytest.mark.django_db

LONG = timedelta(days=2)


def test_credits_can_be_spent_until_the_moment_they_lapse(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))

    clock.move(hours=1, microseconds=-1)

    use(customer, 10)
    assert balance_of(customer).posted == 0


def test_at_the_very_moment_they_lapse_nobody_can_spend_them(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))

    clock.move(hours=1)

    with pytest.raises(InsufficientCredits) as refusal:
        use(customer, 1)
    assert refusal.value.available == 0


def test_a_refused_write_expires_nothing_and_the_next_one_does(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))
    clock.move(hours=1)
    with pytest.raises(InsufficientCredits):
        use(customer, 1)
    assert kinds_of(customer) == ["promotion"]

    give(customer, 5)

    assert kinds_of(customer) == ["promotion", "expiry", "promotion"]
    assert balance_of(customer).posted == 5
    assert_books_are_right(customer)


def test_an_expiry_entry_says_when_the_credits_lapsed(customer: BillingCustomer, clock: Clock) -> None:
    given = give(customer, 10, expires_at=clock.after(hours=1))
    lapsed_at = clock.after(hours=1)
    clock.move(hours=9)

    expire_lapsed_credits(now=clock.now)

    entry = LedgerEntry.objects.get(kind="expiry")
    assert (entry.occurred_at, entry.created_at, entry.amount) == (lapsed_at, clock.now, -10)
    assert drawn_on(entry) == [(given.pk, 10)]


def test_what_was_used_does_not_expire(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))
    use(customer, 4)
    clock.move(hours=1)

    expire_lapsed_credits(now=clock.now)

    assert LedgerEntry.objects.get(kind="expiry").amount == -6
    assert balance_of(customer).posted == 0


def test_open_holds_placed_before_the_lapse_keep_as_much_as_they_add_up_to(
    customer: BillingCustomer, clock: Clock
) -> None:
    given = give(customer, 10, expires_at=clock.after(hours=1))
    place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=1)

    expire_lapsed_credits(now=clock.now)

    assert grant_of(given).remaining == 4
    assert (balance_of(customer).posted, balance_of(customer).held) == (4, 4)
    assert_books_are_right(customer)


def test_a_hold_placed_at_the_lapse_keeps_nothing(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))
    give(customer, 10)
    clock.move(hours=1)

    place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)

    assert LedgerEntry.objects.get(kind="expiry").amount == -10


def test_one_hold_keeps_its_amount_once_and_the_earliest_lapse_first(customer: BillingCustomer, clock: Clock) -> None:
    late = give(customer, 10, expires_at=clock.after(hours=2))
    early = give(customer, 3, expires_at=clock.after(hours=1))
    place_hold(customer_id=customer.pk, amount=5, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    expire_lapsed_credits(now=clock.now)

    assert (grant_of(early).remaining, grant_of(late).remaining) == (3, 2)
    assert_books_are_right(customer)


def test_the_hold_can_be_settled_from_what_it_kept_and_the_rest_expires_at_once(
    customer: BillingCustomer, clock: Clock
) -> None:
    given = give(customer, 10, expires_at=clock.after(hours=1))
    hold = place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    settle_hold(hold=hold.public_id, amount=3)

    assert kinds_of(customer) == ["promotion", "expiry", "usage", "expiry"]
    assert drawn_on(LedgerEntry.objects.get(kind="usage")) == [(given.pk, 3)]
    assert (balance_of(customer).posted, balance_of(customer).held) == (0, 0)
    assert balance_of(customer).next_expiry_at is None
    assert_books_are_right(customer)


def test_what_a_hold_kept_expires_when_it_is_released(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))
    hold = place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    release_hold(hold=hold.public_id)

    assert balance_of(customer).posted == 0
    assert_books_are_right(customer)


def test_kept_credits_are_not_for_other_spending(customer: BillingCustomer, clock: Clock) -> None:
    kept, lasting = give(customer, 10, expires_at=clock.after(hours=1)), give(customer, 10)
    place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    entry = use(customer, 10)

    assert drawn_on(entry) == [(lasting.pk, 10)]
    assert grant_of(kept).remaining == 4


def test_a_claw_back_may_take_kept_credits(customer: BillingCustomer, clock: Clock) -> None:
    payment = buy(customer, 10, expires_at=clock.after(hours=1))
    place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    entry = claw_back(payment, 3)

    assert uncovered_of(entry) == 0
    assert balance_of(customer).posted == 1
    assert_books_are_right(customer)


def test_the_last_resort_of_a_debit_is_what_holds_keep(customer: BillingCustomer, clock: Clock) -> None:
    """Otherwise there would be a debt beside credits that remain."""
    kept = give(customer, 10, expires_at=clock.after(hours=1))
    place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    entry = post_one(customer, EntryKind.ADJUSTMENT, -6, description="Mistake", may_leave_debt=True)

    assert drawn_on(entry) == [(kept.pk, 4)]
    assert uncovered_of(entry) == 2
    assert balance_of(customer).posted == -2
    assert_books_are_right(customer)


def test_credits_that_come_in_lapsed_expire_in_the_same_breath(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 10, expires_at=clock.now)

    assert kinds_of(customer) == ["promotion", "expiry"]
    assert balance_of(customer).next_expiry_at is None


def test_open_holds_keep_credits_that_come_in_lapsed(customer: BillingCustomer, clock: Clock) -> None:
    give(customer, 5)
    place_hold(customer_id=customer.pk, amount=5, key="api:hold", lifetime=LONG)
    clock.move(hours=3)

    given = give(customer, 10, expires_at=clock.after(hours=-1))

    assert grant_of(given).remaining == 5
    assert balance_of(customer).posted == 10


def test_open_holds_keep_credits_that_come_back_to_a_lapsed_grant(customer: BillingCustomer, clock: Clock) -> None:
    payment = buy(customer, 10, expires_at=clock.after(hours=1))
    claw_back(payment, 10)
    give(customer, 5)
    place_hold(customer_id=customer.pk, amount=5, key="api:hold", lifetime=LONG)
    clock.move(hours=2)

    reinstate(payment, 10)

    assert balance_of(customer).posted == 10
    assert LedgerEntry.objects.get(kind="expiry").amount == -5
    assert_books_are_right(customer)


def test_the_sweep_counts_customers_and_keeps_to_its_limit(clock: Clock) -> None:
    for _ in range(3):
        give(make_customer(), 10, expires_at=clock.after(hours=1))
    clock.move(hours=1)

    assert expire_lapsed_credits(now=clock.now, dry_run=True) == 3
    assert expire_lapsed_credits(now=clock.now, limit=2) == 2
    assert expire_lapsed_credits(now=clock.now) == 1
    assert expire_lapsed_credits(now=clock.now) == 0


def test_one_customer_with_broken_books_does_not_stop_the_sweep(customer: BillingCustomer, clock: Clock) -> None:
    other = make_customer()
    give(customer, 10, expires_at=clock.after(hours=1))
    give(other, 10, expires_at=clock.after(hours=2))
    CreditBalance.objects.filter(pk=customer.pk).update(posted=7)
    clock.move(hours=2)

    with pytest.raises(RuntimeError, match="1 customers"):
        expire_lapsed_credits(now=clock.now)

    assert balance_of(other).posted == 0
