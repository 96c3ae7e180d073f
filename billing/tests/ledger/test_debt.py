"""Debt: what no grant has covered yet, and who covers it."""

from decimal import Decimal
from functools import partial

import pytest

from billing.kinds import AllocationKind, EntryKind
from billing.models import BillingCustomer, CreditGrant, GrantAllocation, LedgerEntry, UncoveredPart
from billing.services.posting import post_many
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    buy,
    claw_back,
    give,
    grant_of,
    grant_of_payment,
    kinds_of,
    post_one,
    posting_of,
    uncovered_of,
    use,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def debtor(customer: BillingCustomer) -> BillingCustomer:
    """Spent 10 bought credits that were then clawed back: 10 in debt."""
    payment = buy(customer, 10)
    use(customer, 10)
    claw_back(payment, 10)
    return customer


def _refund_of(customer: BillingCustomer) -> LedgerEntry:
    return LedgerEntry.objects.get(customer=customer, kind=EntryKind.REFUND)


def test_a_claw_back_goes_below_zero_and_remembers_what_is_uncovered(debtor: BillingCustomer) -> None:
    assert balance_of(debtor).posted == -10
    assert uncovered_of(_refund_of(debtor)) == 10
    assert_books_are_right(debtor)


def test_the_next_grant_covers_the_debt_first(debtor: BillingCustomer) -> None:
    given = give(debtor, 15)

    assert grant_of(given).remaining == 5
    assert uncovered_of(_refund_of(debtor)) == 0
    cover = GrantAllocation.objects.get(kind=AllocationKind.COVER)
    assert (cover.entry_id, cover.cause_id, cover.amount) == (_refund_of(debtor).pk, given.pk, 10)
    assert_books_are_right(debtor)


@pytest.mark.parametrize(("size", "remaining", "uncovered"), [("9.999999", 0, "0.000001"), (10, 0, 0), (11, 1, 0)])
def test_a_grant_covers_as_far_as_it_goes(
    debtor: BillingCustomer, size: str | int, remaining: int, uncovered: str | int
) -> None:
    given = give(debtor, size)

    assert grant_of(given).remaining == remaining
    assert grant_of(given).is_open is bool(remaining)
    assert uncovered_of(_refund_of(debtor)) == Decimal(uncovered)
    assert_books_are_right(debtor)


def test_the_oldest_uncovered_entry_is_covered_first(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    use(customer, 10)
    first, second = claw_back(payment, 4), claw_back(payment, 6)

    give(customer, 5)

    assert (uncovered_of(first), uncovered_of(second)) == (0, 5)


def test_two_debts_of_one_batch_are_covered_in_their_order(customer: BillingCustomer) -> None:
    mistake = partial(posting_of, customer, EntryKind.ADJUSTMENT, -3, description="Mistake", may_leave_debt=True)
    debts = [outcome.entry for outcome in post_many(postings=[mistake() for _ in range(3)])]

    give(customer, 4)

    assert [uncovered_of(debt) for debt in debts] == [0, 2, 3]


def test_a_grant_that_has_lapsed_already_still_covers_debt_and_the_rest_expires(
    debtor: BillingCustomer, clock: Clock
) -> None:
    give(debtor, 15, expires_at=clock.now)

    assert kinds_of(debtor)[-2:] == ["promotion", "expiry"]
    assert balance_of(debtor).posted == 0
    assert uncovered_of(_refund_of(debtor)) == 0
    assert_books_are_right(debtor)


def test_never_are_there_credits_left_beside_a_debt(debtor: BillingCustomer) -> None:
    for size in (3, 4, 5):
        give(debtor, size)
        left = sum(CreditGrant.objects.filter(customer=debtor).values_list("remaining", flat=True))
        owed = sum(UncoveredPart.objects.filter(customer=debtor).values_list("amount", flat=True))
        assert left - owed == balance_of(debtor).posted
        assert not (left and owed)


def test_writing_off_a_debt_clears_it_without_a_grant(debtor: BillingCustomer) -> None:
    post_one(debtor, EntryKind.WRITE_OFF, 10)

    assert balance_of(debtor).posted == 0
    assert uncovered_of(_refund_of(debtor)) == 0
    assert CreditGrant.objects.filter(customer=debtor).count() == 1
    assert_books_are_right(debtor)


def test_a_part_of_a_debt_can_be_written_off(debtor: BillingCustomer) -> None:
    post_one(debtor, EntryKind.WRITE_OFF, 4)
    give(debtor, 6)

    assert balance_of(debtor).posted == 0
    assert_books_are_right(debtor)


@pytest.mark.parametrize("amount", ["10.000001", 11])
def test_no_more_than_the_debt_can_be_written_off(debtor: BillingCustomer, amount: str | int) -> None:
    with pytest.raises(RuntimeError, match="written off a debt of 10"):
        post_one(debtor, EntryKind.WRITE_OFF, amount)


def test_without_a_debt_nothing_can_be_written_off(customer: BillingCustomer) -> None:
    give(customer, 5)

    with pytest.raises(RuntimeError, match="written off a debt of 0"):
        post_one(customer, EntryKind.WRITE_OFF, 1)


def test_what_was_written_off_does_not_come_back_with_the_money(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    use(customer, 10)
    claw_back(payment, 10)
    post_one(customer, EntryKind.WRITE_OFF, 10)

    with pytest.raises(RuntimeError, match="0 were taken"):
        post_one(customer, EntryKind.REFUND_REVERSAL, 10, payment_id=payment.pk)
    assert grant_of_payment(payment).remaining == 0
