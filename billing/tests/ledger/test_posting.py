"""Posting: the only way a balance changes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from billing.errors import CustomerFrozen, InsufficientCredits
from billing.kinds import CLAW_BACKS, GRANT_PRIORITIES, RETURNS, EntryKind
from billing.ledger.locking import lock_accounts
from billing.models import BillingCustomer, CreditBalance, LedgerEntry
from billing.selectors.balances import read_balance
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.services.posting import post
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    buy,
    claw_back,
    give,
    post_one,
    posting_of,
    uncovered_of,
    use,
)

pytestmark = pytest.mark.django_db


def test_an_entry_says_what_moved_and_what_is_left(customer: BillingCustomer) -> None:
    happened = datetime(2026, 3, 1, tzinfo=UTC)
    give(customer, 100)

    entry = use(customer, "2.5", description="Image", occurred_at=happened, source_type="image", source_id="7")

    stored = LedgerEntry.objects.get(pk=entry.pk)
    assert (stored.sequence, stored.kind, stored.amount, stored.balance_after) == (
        2,
        "usage",
        Decimal("-2.5"),
        Decimal("97.5"),
    )
    assert (stored.description, stored.source_type, stored.source_id) == ("Image", "image", "7")
    assert stored.occurred_at == happened < stored.created_at
    assert_books_are_right(customer)


def test_exactly_what_is_available_can_be_spent(customer: BillingCustomer) -> None:
    give(customer, "10.000001")

    use(customer, "10.000001")

    assert balance_of(customer).posted == 0


def test_the_smallest_step_above_what_is_available_is_refused(customer: BillingCustomer) -> None:
    give(customer, 10)

    with pytest.raises(InsufficientCredits) as refusal:
        use(customer, "10.000001")

    assert (refusal.value.available, refusal.value.required) == (Decimal(10), Decimal("10.000001"))
    assert balance_of(customer).posted == 10
    assert LedgerEntry.objects.filter(customer=customer).count() == 1


@pytest.mark.parametrize(("amount", "fits"), [(15, True), ("15.000001", False)])
def test_usage_may_go_into_the_overdraft_and_not_beyond(amount: str | int, fits: bool) -> None:
    customer = make_customer(overdraft_limit=5)
    give(customer, 10)

    if not fits:
        with pytest.raises(InsufficientCredits):
            use(customer, amount)
        return
    entry = use(customer, amount)

    assert balance_of(customer).posted == -5
    assert uncovered_of(entry) == 5
    assert_books_are_right(customer)


@pytest.mark.parametrize("kind", [EntryKind.ADJUSTMENT, EntryKind.CORRECTION])
def test_the_overdraft_is_not_for_staff(kind: EntryKind) -> None:
    customer = make_customer(overdraft_limit=5)
    given = give(customer, 10)

    with pytest.raises(InsufficientCredits) as refusal:
        post_one(customer, kind, -11, description="Mistake", corrects_id=given.pk)

    assert refusal.value.available == 10


def test_a_staff_debit_of_all_that_is_available_is_made(customer: BillingCustomer) -> None:
    give(customer, 10)

    post_one(customer, EntryKind.ADJUSTMENT, -10, description="Mistake")

    assert balance_of(customer).posted == 0


def test_an_approved_staff_debit_may_leave_a_debt(customer: BillingCustomer) -> None:
    give(customer, 10)

    entry = post_one(customer, EntryKind.ADJUSTMENT, -25, description="Mistake", may_leave_debt=True)

    assert uncovered_of(entry) == 15
    balance = read_balance(customer_id=customer.pk, now=timezone.now())
    assert balance is not None
    assert (balance.available, balance.debt, balance.posted) == (0, 15, -15)
    assert_books_are_right(customer)


def test_leave_to_make_debts_does_not_help_usage(customer: BillingCustomer) -> None:
    with pytest.raises(InsufficientCredits):
        use(customer, 1, may_leave_debt=True)


def test_usage_that_was_done_already_is_written_down_below_zero(customer: BillingCustomer) -> None:
    give(customer, 10)

    entry = use(customer, 25, is_work_done=True)

    assert uncovered_of(entry) == 15
    assert balance_of(customer).posted == -15
    assert_books_are_right(customer)
    with pytest.raises(InsufficientCredits):
        use(customer, 1)


def test_a_freeze_does_not_stop_the_record_of_work_that_was_done(customer: BillingCustomer) -> None:
    freeze_customer(customer_id=customer.pk, reason="Dispute")

    use(customer, 3, is_work_done=True)

    assert balance_of(customer).posted == -3
    assert_books_are_right(customer)


def test_staff_get_no_debt_by_calling_a_debit_work(customer: BillingCustomer) -> None:
    with pytest.raises(InsufficientCredits):
        post_one(customer, EntryKind.ADJUSTMENT, -1, description="Mistake", is_work_done=True)


def test_a_frozen_customer_may_not_spend_and_everything_else_goes_on(customer: BillingCustomer) -> None:
    payment = buy(customer, 100)
    freeze_customer(customer_id=customer.pk, reason="Dispute")

    with pytest.raises(CustomerFrozen):
        use(customer, 1)
    give(customer, 5)
    claw_back(payment, 100)
    post_one(customer, EntryKind.ADJUSTMENT, -1, description="Mistake")

    assert balance_of(customer).posted == 4


def test_after_the_freeze_is_lifted_spending_works_again(customer: BillingCustomer) -> None:
    give(customer, 5)
    freeze_customer(customer_id=customer.pk, reason="Dispute")
    unfreeze_customer(customer_id=customer.pk, reason="Won")

    use(customer, 5)

    assert balance_of(customer).posted == 0


def test_the_first_reason_of_a_freeze_stays(customer: BillingCustomer) -> None:
    freeze_customer(customer_id=customer.pk, reason="Dispute")
    since = balance_of(customer).frozen_at

    freeze_customer(customer_id=customer.pk, reason="Fraud warning")

    assert (balance_of(customer).frozen_reason, balance_of(customer).frozen_at) == ("Dispute", since)


@pytest.mark.parametrize("kind", [kind for kind in GRANT_PRIORITIES if kind is not EntryKind.ADJUSTMENT])
def test_what_comes_in_cannot_be_negative(customer: BillingCustomer, kind: EntryKind) -> None:
    with pytest.raises(RuntimeError, match=kind):
        post_one(customer, kind, -1)


@pytest.mark.parametrize("kind", [*sorted(CLAW_BACKS), EntryKind.USAGE])
def test_what_goes_out_cannot_be_positive(customer: BillingCustomer, kind: EntryKind) -> None:
    with pytest.raises(RuntimeError, match=kind):
        post_one(customer, kind, 1)


@pytest.mark.parametrize("kind", [*sorted(RETURNS)])
def test_nothing_comes_back_that_was_not_taken(customer: BillingCustomer, kind: EntryKind) -> None:
    with pytest.raises(RuntimeError, match="0 were taken"):
        post_one(customer, kind, 1)


@pytest.mark.parametrize("amount", [1, -1])
def test_only_the_ledger_itself_makes_expiry_entries(customer: BillingCustomer, amount: int) -> None:
    with pytest.raises(RuntimeError, match="expiry"):
        post_one(customer, EntryKind.EXPIRY, amount)


def test_an_entry_of_zero_is_refused(customer: BillingCustomer) -> None:
    with pytest.raises(RuntimeError, match="cannot have the amount 0"):
        post_one(customer, EntryKind.ADJUSTMENT, 0)


def test_a_seventh_decimal_place_is_refused_instead_of_rounded(customer: BillingCustomer) -> None:
    with pytest.raises(RuntimeError, match="more than 6 decimal places"):
        give(customer, "1.0000005")


def test_six_places_are_kept_exactly(customer: BillingCustomer) -> None:
    give(customer, 1)
    for _ in range(3):
        use(customer, "0.333333")

    assert balance_of(customer).posted == Decimal("0.000001")
    assert_books_are_right(customer)


def test_the_largest_amount_is_stored_exactly(customer: BillingCustomer) -> None:
    give(customer, "10000000000000.000000")
    use(customer, "0.000001")

    assert balance_of(customer).posted == Decimal("9999999999999.999999")
    assert_books_are_right(customer)


def test_postings_need_a_database_transaction() -> None:
    connection.ensure_connection()
    was_atomic, connection.in_atomic_block = connection.in_atomic_block, False
    try:
        with pytest.raises(RuntimeError, match="database transaction"):
            lock_accounts(customer_ids=[1])
    finally:
        connection.in_atomic_block = was_atomic


def test_a_customer_without_a_balance_is_an_alarm_and_not_an_empty_one() -> None:
    customer = BillingCustomer.objects.create()

    with pytest.raises(RuntimeError, match="No balance row"):
        give(customer, 1)


def test_books_that_do_not_add_up_stop_the_next_write(customer: BillingCustomer) -> None:
    give(customer, 10)
    CreditBalance.objects.filter(pk=customer.pk).update(posted=11)

    with pytest.raises(RuntimeError, match="does not add up"), transaction.atomic():
        use(customer, 1)

    assert LedgerEntry.objects.filter(customer=customer).count() == 1


def test_a_posting_that_refuses_leaves_what_was_posted_before_in_the_same_transaction(
    customer: BillingCustomer,
) -> None:
    with transaction.atomic():
        post(posting=posting_of(customer, EntryKind.PROMOTION, 5))
        with pytest.raises(InsufficientCredits):
            post(posting=posting_of(customer, EntryKind.USAGE, -6))

    assert balance_of(customer).posted == 5
