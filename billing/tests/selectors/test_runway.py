"""How long credits last at the pace of the last days."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.money import ZERO
from billing.selectors.overview import DayMovement, Runway, daily_movements, estimate_runway
from billing.tests.views.rows import add_entry

TODAY = date(2026, 11, 20)


def days(*used: int | str) -> Sequence[DayMovement]:
    """A month of which the last days were used so much, the present one last."""
    amounts = [*[0] * (30 - len(used)), *used]
    return [
        DayMovement(day=TODAY - timedelta(days=29 - index), credits_in=ZERO, credits_out=ZERO, used=Decimal(amount))
        for index, amount in enumerate(amounts)
    ]


def runway(available: int | str, *used: int | str) -> Runway | None:
    return estimate_runway(movements=days(*used), available=Decimal(available))


def test_runway_is_of_seven_complete_days() -> None:
    assert runway(120, 1000, 10, 10, 10, 10, 10, 10, 10, 999) == Runway(days=12, average_days=7, a_day=Decimal(10))


def test_present_day_does_not_count() -> None:
    assert runway(30, 10, 10, 10, 0) == runway(30, 10, 10, 10, 500) == Runway(days=3, average_days=3, a_day=Decimal(10))


def test_days_without_use_count_after_the_first_one() -> None:
    found = runway(100, 20, 0, 0, 0, 5)

    assert found is not None
    assert (found.days, found.average_days) == (20, 4)


def test_runway_is_rounded_down() -> None:
    assert runway("29.999999", 10, 10, 10, 0) == Runway(days=2, average_days=3, a_day=Decimal(10))
    found = runway(5, 10, 10, 10, 0)
    assert found is not None
    assert found.days == 0


@pytest.mark.parametrize("used", [(), (9,), (10, 10, 9), (10, 10), (5, *[0] * 8), (-5, 0, 0, 0)])
def test_too_little_use_gives_no_runway(used: tuple[int, ...]) -> None:
    assert runway(100, *used) is None


def test_nothing_left_gives_no_runway() -> None:
    assert runway(0, 10, 10, 10, 10) is None


@pytest.mark.django_db
def test_only_usage_and_its_corrections_count_as_used(customer: BillingCustomer) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=1), tick=True):
        add_entry(customer, "500")
        spent = add_entry(customer, "-20", kind=EntryKind.USAGE)
        add_entry(customer, "-100", kind=EntryKind.ADJUSTMENT)
        add_entry(customer, "5", kind=EntryKind.USAGE_CORRECTION, corrects_id=spent.pk)

    *_, yesterday, today = daily_movements(customer_id=customer.pk, now=now)

    assert (yesterday.used, today.used) == (15, 0)
    assert (yesterday.credits_in, yesterday.credits_out) == (505, 120)
