"""Credits that lapse are announced in time: once for each grant and step, and not where nobody needs it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from billing.kinds import EntryKind
from billing.models import BillingCustomer, Notice
from billing.services.expiring import announce_expiring_credits
from billing.tests.views.rows import add_entry

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def give(customer: BillingCustomer, *, days: float, kind: EntryKind = EntryKind.PROMOTION, amount: str = "500") -> None:
    with time_machine.travel(START, tick=False):
        add_entry(customer, amount, kind=kind, expires_at=START + timedelta(days=days))


def look(*, days: float) -> int:
    with time_machine.travel(START + timedelta(days=days), tick=False):
        return announce_expiring_credits(now=START + timedelta(days=days))


def told() -> list[int]:
    rows = Notice.objects.filter(event="credits.expiring").order_by("pk").values_list("payload", flat=True)
    return [row["days"] for row in rows]


def test_each_step_is_told_once(customer: BillingCustomer) -> None:
    give(customer, days=100)

    counts = [look(days=day) for day in (69.9, 70, 70.1, 92.9, 93, 95, 98.9, 99, 99.9)]

    assert counts == [0, 1, 0, 0, 1, 0, 0, 1, 0]
    assert told() == [30, 7, 1]


def test_the_notice_says_how_much_is_left_and_until_when(customer: BillingCustomer) -> None:
    give(customer, days=100)
    with time_machine.travel(START + timedelta(days=50), tick=False):
        add_entry(customer, "-120.5", kind=EntryKind.USAGE)
    look(days=93)

    assert Notice.objects.get(event="credits.expiring").payload == {
        "kind": "promotion",
        "amount": "379.500000",
        "expires_at": (START + timedelta(days=100)).isoformat(),
        "days": 7,
    }


@pytest.mark.parametrize(("day", "step"), [(80, [30]), (95, [7]), (99.5, [1]), (100, [])])
def test_of_missed_steps_the_nearest_is_told_alone(customer: BillingCustomer, day: float, step: list[int]) -> None:
    give(customer, days=100)

    look(days=day)

    assert told() == step


@pytest.mark.parametrize(
    ("days", "steps"), [(61, [30, 7, 1]), (60, [30, 7, 1]), (59, [7, 1]), (14, [7, 1]), (13, [1]), (1.9, [])]
)
def test_short_lives_are_not_told_of_long_before(customer: BillingCustomer, days: float, steps: list[int]) -> None:
    give(customer, days=days)

    for left in (30, 7, 1):
        look(days=max(0.0, days - left))

    assert told() == steps


@pytest.mark.parametrize("case", ["used up", "no expiry", "free allowance"])
def test_who_loses_nothing_is_not_told(customer: BillingCustomer, case: str) -> None:
    fields: dict[str, Any] = {"kind": EntryKind.FREE_ALLOWANCE} if case == "free allowance" else {}
    if case == "no expiry":
        add_entry(customer, "500")
    else:
        give(customer, days=100, **fields)
    if case == "used up":
        with time_machine.travel(START + timedelta(days=1), tick=False):
            add_entry(customer, "-500", kind=EntryKind.USAGE)

    assert look(days=99.5) == 0


def test_each_grant_is_told_by_itself(customer: BillingCustomer) -> None:
    give(customer, days=100)
    give(customer, days=101, amount="7")

    assert look(days=99.5) == 2
    assert sorted(told()) == [1, 7]
