"""The last days' movements, found without reading the whole ledger."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.selectors.overview import daily_movements
from billing.tests.shop import make_customer
from billing.tests.views.rows import add_entry

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_without_entries_each_day_is_zero(customer: BillingCustomer) -> None:
    movements = daily_movements(customer_id=customer.pk, now=NOW, days=30)

    assert len(movements) == 30
    assert movements[0].day == date(2026, 10, 22)
    assert movements[-1].day == date(2026, 11, 20)
    assert not any(movement.credits_in or movement.credits_out for movement in movements)


@pytest.mark.parametrize("old", range(9))
def test_only_the_last_days_count_however_many_entries_are_older(customer: BillingCustomer, old: int) -> None:
    with time_machine.travel(NOW - timedelta(days=40), tick=False):
        for _ in range(old):
            add_entry(customer, "1000")
    with time_machine.travel(NOW - timedelta(days=1), tick=False):
        add_entry(customer, "500")
        add_entry(customer, "-20.5", kind=EntryKind.USAGE)
    with time_machine.travel(NOW, tick=False):
        add_entry(customer, "-1.25", kind=EntryKind.USAGE)
        add_entry(make_customer(), "777")

    movements = daily_movements(customer_id=customer.pk, now=NOW, days=30)

    assert (movements[-2].credits_in, movements[-2].credits_out) == (Decimal(500), Decimal("20.5"))
    assert (movements[-1].credits_in, movements[-1].credits_out) == (Decimal(0), Decimal("1.25"))
    assert sum(movement.credits_in for movement in movements) == 500


def test_first_day_counts_from_its_first_moment(customer: BillingCustomer) -> None:
    for moment in (datetime(2026, 10, 21, 23, 59, 59, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC)):
        with time_machine.travel(moment, tick=False):
            add_entry(customer, "5")

    movements = daily_movements(customer_id=customer.pk, now=NOW, days=30)

    assert sum(movement.credits_in for movement in movements) == 5


def test_what_happened_before_but_was_recorded_since_is_left_out(customer: BillingCustomer) -> None:
    with time_machine.travel(NOW, tick=False):
        add_entry(customer, "5", occurred_at=NOW - timedelta(days=31))

    assert not any(movement.credits_in for movement in daily_movements(customer_id=customer.pk, now=NOW, days=30))
