"""Writing a plan: the same rows whichever statement writes them, by a fixed number of queries."""

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditGrant, CreditHold, GrantAllocation, LedgerEntry
from billing.services.holds import settle_hold
from billing.services.posting import post_many
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import (
    assert_books_are_right,
    balance_of,
    drawn_on,
    give,
    hold_for,
    post_one,
    posting_of,
    use,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", [EntryKind.PROMOTION, EntryKind.USAGE])
def test_the_entry_handed_back_is_the_row_that_was_written(customer: BillingCustomer, kind: EntryKind) -> None:
    give(customer, 100)

    entry = post_one(customer, kind, 5 if kind is EntryKind.PROMOTION else -5, description="Both alike")

    stored = LedgerEntry.objects.get(pk=entry.pk)
    for column in LedgerEntry._meta.concrete_fields:
        assert getattr(entry, column.attname) == getattr(stored, column.attname), column.attname


@pytest.mark.parametrize("grants", [1, 200])
def test_spending_takes_the_same_number_of_queries_however_many_grants_there_are(
    customer: BillingCustomer, grants: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(grants):
        give(customer, 1)

    with django_assert_num_queries(5):  # savepoint, lock, load, write, release
        use(customer, grants)

    assert CreditGrant.objects.filter(customer=customer, is_open=True).count() == 0


@pytest.mark.parametrize("entries", [1, 200])
def test_spending_takes_the_same_number_of_queries_however_long_the_ledger_is(
    customer: BillingCustomer, entries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    give(customer, 1000)
    for _ in range(entries):
        use(customer, 1)

    with django_assert_num_queries(5):
        use(customer, 1)


def test_the_debit_of_one_grant_writes_what_a_debit_of_several_writes(customer: BillingCustomer) -> None:
    """The commonest plan has a statement of its own; it must leave the same rows."""
    other = make_customer()
    for owner, parts in ((customer, [10]), (other, [4, 6])):
        for part in parts:
            give(owner, part)

    for owner in (customer, other):
        use(owner, 10, description="Same", source_type="image", source_id="7", key="api:same")

    alike = ["posted", "held", "next_expiry_at"]
    assert [getattr(balance_of(customer), name) for name in alike] == [
        getattr(balance_of(other), name) for name in alike
    ]
    columns = ["kind", "amount", "balance_after", "idempotency_key", "description", "source_type", "source_id"]
    one, several = (
        LedgerEntry.objects.filter(idempotency_key="api:same", customer=owner) for owner in (customer, other)
    )
    assert one.values_list(*columns).get() == several.values_list(*columns).get()
    assert sum(share for _, share in drawn_on(one.get())) == sum(share for _, share in drawn_on(several.get())) == 10
    for owner in (customer, other):
        assert_books_are_right(owner)


def test_the_settlement_from_one_grant_writes_what_one_from_several_writes(customer: BillingCustomer) -> None:
    """It has a statement of its own as well, which ends the hold too."""
    other = make_customer()
    for owner, parts in ((customer, [10]), (other, [4, 6])):
        for part in parts:
            give(owner, part)

    for owner in (customer, other):
        settle_hold(hold=hold_for(owner, 9).public_id, amount=8, description="Same")

    for owner in (customer, other):
        entry, hold = LedgerEntry.objects.get(customer=owner, kind="usage"), CreditHold.objects.get(customer=owner)
        assert (entry.amount, entry.balance_after, entry.hold, entry.description) == (-8, 2, hold, "Same")
        assert (hold.state, hold.settled_amount, hold.is_late, hold.ended_at) == ("settled", 8, False, entry.created_at)
        assert (balance_of(owner).posted, balance_of(owner).held) == (2, 0)
        assert_books_are_right(owner)


def test_holding_and_settling_take_few_statements_however_many_other_holds_there_are(
    customer: BillingCustomer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    give(customer, 100)
    for number in range(20):
        hold_for(customer, 1, key=f"api:other-{number}")

    with django_assert_num_queries(5):  # savepoint, lock, load, write, release
        hold = hold_for(customer, 1)
    with django_assert_num_queries(5):
        settle_hold(hold=hold.public_id, amount=1)


@pytest.mark.parametrize("join", ["nestloop", "hashjoin", "mergejoin"])
def test_ids_follow_the_plan_whatever_joins_the_database_chooses(customer: BillingCustomer, join: str) -> None:
    """Ids tell which grant is the oldest and which allocation the newest."""
    give(customer, 1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        for other in {"nestloop", "hashjoin", "mergejoin"} - {join}:
            cursor.execute(f"SET LOCAL enable_{other} = off")
    post_one(customer, EntryKind.ADJUSTMENT, -101, may_leave_debt=True)

    post_many(postings=[posting_of(customer, EntryKind.PROMOTION, amount) for amount in (20, 30, 25, 15, 40)])

    covered = GrantAllocation.objects.filter(kind="cover").order_by("pk")
    assert list(covered.values_list("amount", flat=True)) == [20, 30, 25, 15, 10]
    grants = CreditGrant.objects.filter(kind=EntryKind.PROMOTION).order_by("pk")
    assert list(grants.values_list("entry__sequence", flat=True)) == [1, 3, 4, 5, 6, 7]
    entries = LedgerEntry.objects.order_by("pk")
    assert list(entries.values_list("sequence", flat=True)) == [1, 2, 3, 4, 5, 6, 7]
