"""Burn-down: which credits go first."""

from datetime import datetime

import pytest

from billing.kinds import PLAN_PRIORITY, EntryKind
from billing.models import BillingCustomer, CreditGrant
from billing.services.posting import post_many
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.steps import (
    assert_books_are_right,
    buy,
    claw_back,
    drawn_on,
    give,
    grant_of,
    grant_of_payment,
    post_one,
    posting_of,
    use,
)

pytestmark = pytest.mark.django_db


def test_free_credits_go_before_the_plans_and_those_before_bought_ones(customer: BillingCustomer) -> None:
    payment = buy(customer, 5)
    plan = give(customer, 5, priority=PLAN_PRIORITY)
    free = give(customer, 5)

    entry = use(customer, 12)

    assert drawn_on(entry) == [(free.pk, 5), (plan.pk, 5), (grant_of_payment(payment).entry_id, 2)]
    assert_books_are_right(customer)


def test_among_equals_what_lapses_soonest_goes_first_and_what_never_does_last(
    customer: BillingCustomer, clock: Clock
) -> None:
    never = give(customer, 1)
    late = give(customer, 1, expires_at=clock.after(days=2))
    soon = give(customer, 1, expires_at=clock.after(days=1))

    entry = use(customer, 3)

    assert [source for source, _ in drawn_on(entry)] == [soon.pk, late.pk, never.pk]


def test_credits_that_come_in_one_batch_are_spent_in_order_within_it(customer: BillingCustomer, clock: Clock) -> None:
    lifetimes = {"never": None, "late": clock.after(days=2), "soon": clock.after(days=1)}
    grants = [
        posting_of(customer, EntryKind.PROMOTION, 1, key=f"api:{name}", expires_at=expires_at)
        for name, expires_at in lifetimes.items()
    ]

    *given, used = post_many(postings=[*grants, posting_of(customer, EntryKind.USAGE, -2)])

    never, late, soon = (outcome.entry_id for outcome in given)
    assert [source for source, _ in drawn_on(used.entry)] == [soon, late]
    assert CreditGrant.objects.get(entry_id=never).remaining == 1


def test_a_microsecond_earlier_is_earlier(customer: BillingCustomer, clock: Clock) -> None:
    later = give(customer, 1, expires_at=clock.after(days=1, microseconds=1))
    earlier = give(customer, 1, expires_at=clock.after(days=1))

    entry = use(customer, 2)

    assert [source for source, _ in drawn_on(entry)] == [earlier.pk, later.pk]


def test_among_the_same_expiry_the_oldest_goes_first(customer: BillingCustomer, clock: Clock) -> None:
    lapses: datetime = clock.after(days=1)
    first, second = give(customer, 1, expires_at=lapses), give(customer, 1, expires_at=lapses)

    entry = use(customer, 1)

    assert [source for source, _ in drawn_on(entry)] == [first.pk]
    assert [source for source, _ in drawn_on(use(customer, 1))] == [second.pk]


def test_priority_counts_more_than_expiry(customer: BillingCustomer, clock: Clock) -> None:
    free = give(customer, 1)
    post_one(customer, EntryKind.PLAN_ALLOWANCE, 1, expires_at=clock.after(minutes=1))

    assert drawn_on(use(customer, 1)) == [(free.pk, 1)]


def test_a_grant_may_have_a_place_of_its_own(customer: BillingCustomer) -> None:
    give(customer, 1)
    preferred = give(customer, 1, priority=5)

    assert drawn_on(use(customer, 1)) == [(preferred.pk, 1)]


def test_a_claw_back_takes_its_payments_own_credits_first(customer: BillingCustomer) -> None:
    free = give(customer, 100)
    payment = buy(customer, 10)

    entry = claw_back(payment, 10)

    assert drawn_on(entry) == [(grant_of_payment(payment).entry_id, 10)]
    assert grant_of(free).remaining == 100


def test_a_claw_back_of_spent_credits_goes_on_in_order(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    use(customer, 8)
    other, free = buy(customer, 10), give(customer, 3)

    entry = claw_back(payment, 10)

    assert drawn_on(entry) == [
        (grant_of_payment(payment).entry_id, 2),
        (free.pk, 3),
        (grant_of_payment(other).entry_id, 5),
    ]
    assert_books_are_right(customer)


def test_a_correction_of_a_grant_takes_from_that_grant_first(customer: BillingCustomer) -> None:
    other, wrong = give(customer, 10), give(customer, 10)

    entry = post_one(customer, EntryKind.CORRECTION, -4, corrects_id=wrong.pk)

    assert drawn_on(entry) == [(wrong.pk, 4)]
    assert grant_of(other).remaining == 10
