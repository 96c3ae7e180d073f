"""Batches of usage by one caller: credits and the key's limit are judged together."""

from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.api_keys import issue_key
from accounts.models import ApiKey
from billing.kinds import EntryKind
from billing.ledger.shapes import Posting
from billing.models import BillingCustomer, LedgerEntry
from billing.services.batches import spend_in_batch
from billing.services.key_limits import find_key_room, placed_by_key
from billing.tests.ledger.steps import assert_books_are_right, balance_of, give

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(customer: BillingCustomer) -> ApiKey:
    """A key that may spend 10 credits a month, of a customer who has 11."""
    give(customer, 11)
    assert customer.user is not None
    return issue_key(user=customer.user, name="Test", scopes=["spend"], monthly_limit=Decimal(10)).key


def outcomes_of(customer: BillingCustomer, placed_by: str, *costs: int, is_limited: bool = True) -> list[str]:
    postings = [
        Posting(customer_id=customer.pk, kind=EntryKind.USAGE, amount=Decimal(-cost), key=f"usage:{index}-{cost}")
        for index, cost in enumerate(costs)
    ]
    outcomes = spend_in_batch(customer_id=customer.pk, postings=postings, placed_by=placed_by, is_limited=is_limited)
    return [
        outcome.refusal.code if outcome.refusal else "replay" if outcome.is_replay else "posted" for outcome in outcomes
    ]


@pytest.mark.parametrize(
    ("costs", "outcomes"),
    [
        ((10,), ["posted"]),
        ((11,), ["key_limit_reached"]),
        ((12,), ["insufficient_credits"]),
        ((4, 6, 1), ["posted", "posted", "key_limit_reached"]),
        ((4, 7, 6), ["posted", "key_limit_reached", "posted"]),
        ((11, 12, 10), ["key_limit_reached", "insufficient_credits", "posted"]),
    ],
    ids=str,
)
def test_each_posting_is_judged_by_credits_and_limit(
    customer: BillingCustomer, key: ApiKey, costs: tuple[int, ...], outcomes: list[str]
) -> None:
    assert outcomes_of(customer, placed_by_key(key), *costs) == outcomes

    posted = sum(cost for cost, outcome in zip(costs, outcomes, strict=True) if outcome == "posted")
    assert balance_of(customer).posted == 11 - posted
    assert key.spending.spent == posted
    assert LedgerEntry.objects.filter(kind="usage").count() == outcomes.count("posted")
    assert_books_are_right(customer)


def test_batch_again_is_a_replay_and_counts_nothing(customer: BillingCustomer, key: ApiKey) -> None:
    outcomes_of(customer, placed_by_key(key), 4, 6)

    assert outcomes_of(customer, placed_by_key(key), 4, 6, 1) == ["replay", "replay", "key_limit_reached"]
    assert key.spending.spent == 10


def test_what_the_limit_does_not_stop_is_counted(customer: BillingCustomer, key: ApiKey) -> None:
    assert outcomes_of(customer, placed_by_key(key), 6, 5, is_limited=False) == ["posted", "posted"]

    assert key.spending.spent == 11
    room = find_key_room(placed_by=placed_by_key(key), now=timezone.now())
    assert room is not None
    assert (room.limit, room.left) == (10, 0)


def test_who_has_no_key_has_no_limit(customer: BillingCustomer, key: ApiKey) -> None:
    assert outcomes_of(customer, "user:1", 11) == ["posted"]
    assert find_key_room(placed_by="user:1", now=timezone.now()) is None
