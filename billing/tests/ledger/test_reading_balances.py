"""What a plain read says of a balance, without a lock and by a fixed number of queries."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.selectors.balances import read_balance, read_category_balances, read_next_expiry
from billing.services.holds import place_hold
from billing.tests.ledger.conftest import Clock
from billing.tests.ledger.steps import (
    buy,
    give,
    post_one,
)

pytestmark = pytest.mark.django_db

LONG = timedelta(days=2)


def test_a_read_takes_one_query_while_nothing_has_lapsed(
    customer: BillingCustomer, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))
    clock.move(hours=1, microseconds=-1)

    with django_assert_num_queries(1):
        balance = read_balance(customer_id=customer.pk, now=clock.now)

    assert balance is not None
    assert balance.posted == 10


def test_a_read_takes_a_second_query_where_something_has_lapsed(
    customer: BillingCustomer, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    give(customer, 10, expires_at=clock.after(hours=1))
    give(customer, 7, expires_at=clock.after(days=1))
    tomorrow = clock.after(days=1)
    place_hold(customer_id=customer.pk, amount=4, key="api:hold", lifetime=LONG)
    clock.move(hours=1)

    with django_assert_num_queries(2):
        balance = read_balance(customer_id=customer.pk, now=clock.now)

    assert balance is not None
    assert (balance.posted, balance.held, balance.available) == (11, 4, 7)
    assert balance.next_expiry_at == tomorrow


def test_a_read_by_user_needs_one_of_both_names(customer: BillingCustomer, clock: Clock) -> None:
    with pytest.raises(TypeError):
        read_balance(now=clock.now)
    with pytest.raises(TypeError):
        read_balance(now=clock.now, customer_id=customer.pk, user_id=1)
    assert read_balance(now=clock.now, user_id=1) is None


def test_the_next_expiry_adds_up_what_lapses_together(customer: BillingCustomer, clock: Clock) -> None:
    soon = clock.after(hours=1)
    for amount in (1, 2):
        give(customer, amount, expires_at=soon)
    give(customer, 4, expires_at=clock.after(hours=2))

    next_expiry = read_next_expiry(customer_id=customer.pk, now=clock.now)

    assert next_expiry is not None
    assert (next_expiry.amount, next_expiry.at) == (Decimal(3), soon)
    clock.move(hours=2)
    assert read_next_expiry(customer_id=customer.pk, now=clock.now) is None


def test_balances_by_category_leave_lapsed_credits_out(customer: BillingCustomer, clock: Clock) -> None:
    buy(customer, 5)
    post_one(customer, EntryKind.PLAN_ALLOWANCE, 3, expires_at=clock.after(hours=1))
    give(customer, 2)
    give(customer, 1, priority=15)
    clock.move(hours=1)

    categories = read_category_balances(customer_id=customer.pk, now=clock.now)

    assert [(one.category, one.remaining) for one in categories] == [("free", 2), ("other", 1), ("bought", 5)]
