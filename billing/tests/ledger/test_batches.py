"""Batches: many postings of many customers at once."""

from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.errors import BatchRefused, CustomerFrozen, IdempotencyConflict, InsufficientCredits
from billing.kinds import EntryKind
from billing.ledger.posting import MAX_BATCH
from billing.models import BillingCustomer, GrantAllocation, LedgerEntry
from billing.services.customers import freeze_customer
from billing.services.posting import BatchMode, post_many
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import assert_books_are_right, balance_of, give, posting_of, use

pytestmark = pytest.mark.django_db

PROMOTION, USAGE = EntryKind.PROMOTION, EntryKind.USAGE


def test_outcomes_come_in_the_order_given() -> None:
    customers = [make_customer() for _ in range(5)]
    mixed = [customers[index] for index in (3, 0, 4, 0, 2, 1)]

    outcomes = post_many(postings=[posting_of(customer, PROMOTION, 1) for customer in mixed])

    assert [outcome.entry.customer_id for outcome in outcomes] == [customer.pk for customer in mixed]
    assert [outcome.entry.sequence for outcome in outcomes] == [1, 1, 1, 2, 1, 1]


def test_one_refusal_refuses_an_all_or_nothing_batch(customer: BillingCustomer) -> None:
    other = make_customer()

    with pytest.raises(BatchRefused) as refusal:
        post_many(postings=[posting_of(other, PROMOTION, 5), posting_of(customer, USAGE, -1)])

    assert list(refusal.value.refusals) == [1]
    assert isinstance(refusal.value.refusals[1], InsufficientCredits)
    assert not LedgerEntry.objects.exists()
    assert balance_of(other).posted == 0


def test_every_refusal_of_a_batch_is_named(customer: BillingCustomer) -> None:
    frozen = make_customer()
    give(frozen, 10)
    freeze_customer(customer_id=frozen.pk, reason="Dispute")

    with pytest.raises(BatchRefused) as refusal:
        post_many(
            postings=[
                posting_of(customer, USAGE, -1),
                posting_of(customer, PROMOTION, 1),
                posting_of(frozen, USAGE, -1),
            ]
        )

    assert {index: type(fault) for index, fault in refusal.value.refusals.items()} == {
        0: InsufficientCredits,
        2: CustomerFrozen,
    }


def test_a_batch_of_one_raises_its_own_refusal(customer: BillingCustomer) -> None:
    with pytest.raises(InsufficientCredits):
        post_many(postings=[posting_of(customer, USAGE, -1)])


def test_in_mode_each_the_others_are_posted(customer: BillingCustomer) -> None:
    give(customer, 10)

    outcomes = post_many(
        postings=[posting_of(customer, USAGE, -amount) for amount in (6, 5, 4, 1)], mode=BatchMode.EACH
    )

    assert [outcome.refusal is None for outcome in outcomes] == [True, False, True, False]
    assert balance_of(customer).posted == 0
    assert_books_are_right(customer)


def test_in_mode_each_a_lone_refusal_is_an_outcome_too(customer: BillingCustomer) -> None:
    (outcome,) = post_many(postings=[posting_of(customer, USAGE, -1)], mode=BatchMode.EACH)

    assert isinstance(outcome.refusal, InsufficientCredits)
    with pytest.raises(InsufficientCredits):
        _ = outcome.entry


def test_credits_that_came_earlier_in_the_batch_can_be_spent_later_in_it(customer: BillingCustomer) -> None:
    outcomes = post_many(postings=[posting_of(customer, PROMOTION, 5), posting_of(customer, USAGE, -5)])

    assert [outcome.entry.balance_after for outcome in outcomes] == [5, 0]
    assert_books_are_right(customer)


def test_credits_that_come_later_in_the_batch_are_no_help(customer: BillingCustomer) -> None:
    outcomes = post_many(
        postings=[posting_of(customer, USAGE, -5), posting_of(customer, PROMOTION, 5)], mode=BatchMode.EACH
    )

    assert [outcome.refusal is None for outcome in outcomes] == [False, True]


def test_a_key_repeated_inside_a_batch_is_a_replay_of_the_first(customer: BillingCustomer) -> None:
    first, second = post_many(
        postings=[
            posting_of(customer, PROMOTION, 5, key="api:once"),
            posting_of(customer, PROMOTION, 5, key="api:once"),
        ]
    )

    assert (first.is_replay, second.is_replay) == (False, True)
    assert first.entry.pk == second.entry.pk
    assert balance_of(customer).posted == 5


def test_a_key_repeated_inside_a_batch_for_another_amount_is_a_conflict(customer: BillingCustomer) -> None:
    outcomes = post_many(
        postings=[
            posting_of(customer, PROMOTION, 5, key="api:once"),
            posting_of(customer, PROMOTION, 6, key="api:once"),
        ],
        mode=BatchMode.EACH,
    )

    assert isinstance(outcomes[1].refusal, IdempotencyConflict)
    assert balance_of(customer).posted == 5


def test_the_key_of_a_refused_posting_is_free_for_the_next(customer: BillingCustomer) -> None:
    outcomes = post_many(
        postings=[
            posting_of(customer, USAGE, -5, key="api:once"),
            posting_of(customer, PROMOTION, 5),
            posting_of(customer, USAGE, -5, key="api:once"),
        ],
        mode=BatchMode.EACH,
    )

    assert [outcome.refusal is None for outcome in outcomes] == [False, True, True]
    assert not outcomes[2].is_replay


def test_one_account_named_many_times_moves_by_every_posting(customer: BillingCustomer) -> None:
    give(customer, 1000)

    post_many(postings=[posting_of(customer, USAGE, -1) for _ in range(300)])

    assert balance_of(customer).posted == 700
    assert balance_of(customer).last_sequence == 301
    assert_books_are_right(customer)


def test_an_empty_batch_does_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(2):  # the savepoint alone
        assert post_many(postings=[]) == []


def test_a_batch_above_the_limit_is_refused_whole(customer: BillingCustomer) -> None:
    with pytest.raises(RuntimeError, match="at most 10000"):
        post_many(postings=[posting_of(customer, PROMOTION, 1)] * (MAX_BATCH + 1))


@pytest.mark.parametrize("size", [2, 200])
def test_a_batch_takes_the_same_number_of_queries_whatever_its_size(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customers = [make_customer() for _ in range(size)]
    post_many(postings=[posting_of(customer, PROMOTION, 1) for customer in customers])

    with django_assert_num_queries(5):
        post_many(postings=[posting_of(customer, USAGE, -1) for customer in customers])


def test_each_entry_of_a_batch_draws_its_grants_in_the_order_of_burn_down() -> None:
    """What comes back goes to the newest share first, so the rows must be written in order."""
    customers = [make_customer() for _ in range(20)]
    order = [(number * 7) % 30 for number in range(30)]
    for customer in customers:
        post_many(postings=[posting_of(customer, PROMOTION, 1, priority=priority) for priority in order])

    outcomes = post_many(postings=[posting_of(customer, USAGE, -30) for customer in customers])

    for outcome in outcomes:
        rows = GrantAllocation.objects.filter(entry_id=outcome.entry_id).order_by("pk")
        assert list(rows.values_list("grant__priority", flat=True)) == sorted(order)


def test_refused_postings_of_one_customer_do_not_disturb_another(customer: BillingCustomer) -> None:
    other = make_customer()
    give(other, 3)

    post_many(
        postings=[posting_of(customer, USAGE, -1), posting_of(other, USAGE, -3), posting_of(customer, USAGE, -1)],
        mode=BatchMode.EACH,
    )

    assert balance_of(other).posted == Decimal(0)
    assert not LedgerEntry.objects.filter(customer=customer).exists()
    with pytest.raises(InsufficientCredits):
        use(other, 1)
