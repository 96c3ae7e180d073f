"""Credits that lapse are announced in time: once for each grant and step, and not where nobody needs it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditGrant, Notice, PlanPeriod
from billing.services import expiring
from billing.services.expiring import announce_expiring_credits
from billing.tests.plan_subscriptions import subscribe
from billing.tests.plan_world import make_plan
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


def test_credits_that_live_longer_after_all_are_told_of_again(customer: BillingCustomer) -> None:
    give(customer, days=100)
    for day in (70, 93, 99.5):
        look(days=day)
    CreditGrant.objects.update(expires_at=START + timedelta(days=130))  # as when they come back, or are rolled over

    counts = [look(days=day) for day in (99.6, 101, 122.9, 123.1, 129.5, 129.6)]

    assert counts == [0, 1, 0, 1, 1, 0]
    assert told() == [30, 7, 1, 30, 7, 1]


def test_looks_at_once_tell_of_a_new_end_once(customer: BillingCustomer) -> None:
    give(customer, days=100)
    look(days=99.5)
    CreditGrant.objects.update(expires_at=START + timedelta(days=100, hours=6))
    grant = CreditGrant.objects.get()

    for _ in range(2):  # both have found the grant before either has told of it
        expiring._announce(grant, days=1)

    assert told() == [1, 1]


@pytest.mark.parametrize(
    ("rollover", "changes", "counts"),
    [
        ("none", {}, [1, 1]),
        ("capped", {}, [1, 0]),
        ("unlimited", {}, [0, 0]),
        ("unlimited", {"cancel_at": START + timedelta(days=100)}, [1, 1]),
        ("unlimited", {"ended_at": START}, [1, 1]),
        ("unlimited", {"status": "past_due"}, [1, 1]),
    ],
)
def test_what_the_next_payment_keeps_is_not_told_of_at_each_of_its_ends(
    customer: BillingCustomer, rollover: str, changes: dict[str, Any], counts: list[int]
) -> None:
    give(customer, days=100, kind=EntryKind.PLAN_ALLOWANCE)
    cap: dict[str, Any] = {"rollover_cap": 100} if rollover == "capped" else {}
    subscription = subscribe(customer, make_plan("pro", rollover=rollover, **cap), **changes)
    period = PlanPeriod.objects.create(
        customer=customer,
        subscription_id=subscription.subscription_id,
        plan=subscription.plan,
        starts_at=START,
        ends_at=START + timedelta(days=97),
        currency="usd",
    )
    CreditGrant.objects.update(plan_period=period)

    first = look(days=99.5)
    CreditGrant.objects.update(expires_at=START + timedelta(days=130))

    assert [first, look(days=129.5)] == counts
