"""Alarms of staff: each is raised by what it is about, told of once, and ended when that is over."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from time_machine import TimeMachineFixture

from billing.models import (
    AlarmKind,
    BillingCustomer,
    Invoice,
    OutgoingMail,
    Payment,
    ReconciliationFinding,
    StaffAlarm,
    StripeEvent,
    WebhookAttempt,
)
from billing.selectors.alarms import LOOKS
from billing.services.staff_alarms import watch_alarms
from billing.tests.integrator import message_for, subscribe
from billing.tests.shop import make_customer
from billing.tests.threads import at_once
from billing.tests.views.rows import make_payment
from billing.tests.views.test_invoices import make_invoice
from billing.webhooks.replay import replay_event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def finance(settings: Settings) -> None:
    settings.FINANCE_EMAILS = ["finance@example.com"]


def fail_payments(count: int = 5, customer: BillingCustomer | None = None) -> None:
    """Payments that somebody tried in vain, in each of the ways in which one fails."""
    now = timezone.now()
    ways = ({"failed_at": now}, {"refused_at": now}, {"failed_attempts": {"ch_1": {"code": "card_declined"}}})
    for number in range(count):
        make_payment(customer or make_customer(), **ways[number % 3])


def pay() -> Payment:
    now = timezone.now()
    return make_payment(make_customer(), paid_at=now, paid_amount_minor=1000, paid_currency="usd")


def add_event(name: str, *, state: str, minutes_ago: int = 0, traceback: str = "") -> None:
    now = timezone.now()
    event = StripeEvent.objects.create(
        event_id=name,
        type="charge.refunded",
        livemode=False,
        body="{}",
        occurred_at=now,
        state=state,
        traceback=traceback,
        next_try_at=now if state == "pending" else None,
    )
    received_at = now - timedelta(minutes=minutes_ago)
    due_at = received_at if state == "pending" else None
    StripeEvent.objects.filter(pk=event.pk).update(received_at=received_at, next_try_at=due_at)


def fail_events() -> None:
    for number in range(5):
        state = "dead" if number % 2 else "pending"
        add_event(f"evt_{number}", state=state, minutes_ago=4, traceback="ValueError: broken")


def try_webhooks(*, is_success: bool, count: int = 5) -> None:
    url = "https://hooks.example.com/in"
    delivery = message_for(subscribe(make_customer(), url).endpoint)
    for _ in range(count):
        WebhookAttempt.objects.create(
            delivery=delivery, attempted_at=timezone.now(), duration_ms=1, is_success=is_success
        )


def sell(day: datetime, *, count: int, amount_minor: int, currency: str = "usd") -> None:
    for _ in range(count):
        make_payment(
            make_customer(), paid_at=day, paid_amount_minor=amount_minor, paid_currency=currency, currency=currency
        )


def lose_revenue() -> None:
    now = timezone.now()
    sell(now - timedelta(days=2), count=20, amount_minor=1000)
    sell(now - timedelta(days=1), count=18, amount_minor=1000)


def add_finding() -> None:
    now = timezone.now()
    ReconciliationFinding.objects.create(
        fingerprint="kind:1",
        kind="kind",
        severity="high",
        detail="Differs",
        occurred_at=now,
        first_seen_at=now,
        last_seen_at=now,
        state="open",
    )


def let_events_wait() -> None:
    add_event("evt_waits", state="pending", minutes_ago=6)


def end_findings() -> None:
    ReconciliationFinding.objects.update(state="accepted", ended_at=timezone.now())


def find_alarms(*, now: datetime) -> dict[AlarmKind, str]:
    """What each look finds at that time, if it finds anything."""
    return {kind: detail for kind, look in LOOKS.items() if (detail := look(now))}


def tomorrow_is_another_day() -> None:
    Payment.objects.update(paid_at=timezone.now())


def fail_renewal(number: int, **fields: object) -> Invoice:
    terms = {"status": "open", "attempt_count": 1, "subscription_id": "sub_1", "created_at": timezone.now()}
    return make_invoice(make_customer(), f"R-{number}", **{**terms, **fields})


def test_renewals_that_could_not_be_collected_are_failed_payments(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)
    fail_payments(3)
    fail_renewal(1)
    fail_renewal(2, attempt_count=0)  # nobody has tried yet
    assert AlarmKind.PAYMENTS_FAILED not in find_alarms(now=timezone.now())

    time_machine.shift(60)
    late = fail_renewal(3)

    found = find_alarms(now=timezone.now())
    assert found[AlarmKind.PAYMENTS_FAILED] == "The last 5 payments failed, of 5 customers."
    Invoice.objects.filter(pk=late.pk).update(status="paid", paid_at=timezone.now())
    assert AlarmKind.PAYMENTS_FAILED not in find_alarms(now=timezone.now())


EPISODES = {
    AlarmKind.PAYMENTS_FAILED: (fail_payments, pay, "The last 5 payments failed, of 5 customers."),
    AlarmKind.STRIPE_EVENTS_FAILED: (
        fail_events,
        lambda: add_event("evt_good", state="done"),
        "The last 5 events of Stripe's failed: charge.refunded.",
    ),
    AlarmKind.DELIVERIES_FAILED: (
        lambda: try_webhooks(is_success=False),
        lambda: try_webhooks(is_success=True, count=1),
        "The last 5 webhooks that we sent failed, to 1 endpoint.",
    ),
    AlarmKind.REVENUE_DOWN: (
        lose_revenue,
        tomorrow_is_another_day,
        "Collected yesterday (UTC): $180.00 after $200.00 the day before.",
    ),
    AlarmKind.FINDINGS_OPEN: (add_finding, end_findings, "Open findings: 1 high."),
    AlarmKind.EVENTS_WAIT: (
        let_events_wait,
        lambda: StripeEvent.objects.update(state="done", next_try_at=None),
        "1 of Stripe's events wait, the oldest since 2026-11-20 11:54 UTC.",
    ),
}


def test_every_alarm_is_tried() -> None:
    assert set(EPISODES) == set(AlarmKind)


@pytest.mark.parametrize("kind", AlarmKind)
def test_an_alarm_is_raised_once_and_ends_and_is_raised_again(
    kind: AlarmKind, time_machine: TimeMachineFixture
) -> None:
    cause, cure, detail = EPISODES[kind]
    time_machine.move_to(NOON, tick=False)
    assert watch_alarms(now=timezone.now()) == 0
    cause()

    assert watch_alarms(now=timezone.now()) == 1

    alarm = StaffAlarm.objects.get()
    assert (alarm.kind, alarm.since, alarm.ended_at, alarm.detail) == (kind, NOON, None, detail)
    sent = OutgoingMail.objects.get()
    assert (sent.to, sent.kind, sent.subject) == ("finance@example.com", f"alarm.{kind}", f"Prepaid: {kind.label}")
    assert sent.text.startswith(detail)

    time_machine.shift(60)
    for _ in range(3):
        assert watch_alarms(now=timezone.now()) == 0
    alarm.refresh_from_db()
    assert alarm.last_seen_at == NOON + timedelta(minutes=1)
    assert OutgoingMail.objects.count() == 1

    cure()
    assert watch_alarms(now=timezone.now()) == 1
    alarm.refresh_from_db()
    assert alarm.ended_at == NOON + timedelta(minutes=1)
    assert OutgoingMail.objects.count() == 1


def test_a_second_episode_is_told_of_again() -> None:
    for expected in (1, 2):
        fail_payments()
        watch_alarms(now=timezone.now())
        assert OutgoingMail.objects.count() == expected
        pay()
        watch_alarms(now=timezone.now())

    assert StaffAlarm.objects.filter(ended_at__isnull=False).count() == 2


def fail_in_two_rows() -> None:
    fail_payments(4)
    pay()
    fail_payments(4)


def leave_checkouts() -> None:
    for _ in range(5):
        make_payment(make_customer())


def add_events(*, state: str, count: int = 5, minutes_ago: int = 0) -> None:
    for number in range(count):
        add_event(f"evt_{number}", state=state, minutes_ago=minutes_ago)


@pytest.mark.parametrize(
    "begin",
    [
        lambda: fail_payments(4),
        leave_checkouts,  # without an attempt
        fail_in_two_rows,
        lambda: add_events(state="dead", count=4),
        lambda: add_events(state="pending"),  # not tried yet
        lambda: add_events(state="parked"),
        lambda: add_events(state="dead", minutes_ago=60 * 25),
        lambda: try_webhooks(is_success=False, count=4),
        lambda: add_event("evt_1", state="pending", minutes_ago=4),
    ],
)
def test_less_than_that_raises_nothing(begin: Callable[[], None]) -> None:
    begin()

    assert find_alarms(now=timezone.now()) == {}


@pytest.mark.parametrize(
    ("before", "yesterday", "is_raised"),
    [
        ((20, 1000), (20, 900), True),  # down by a tenth
        ((20, 1000), (20, 901), False),
        ((20, 1000), (0, 0), True),
        ((19, 1000), (1, 1), False),  # too few to mean anything
        ((20, 1000), (30, 1000), False),
    ],
)
def test_revenue_is_compared_by_whole_days_where_there_is_enough(
    before: tuple[int, int], yesterday: tuple[int, int], is_raised: bool
) -> None:
    sell(datetime(2026, 11, 18, 23, 59, tzinfo=UTC), count=before[0], amount_minor=before[1])
    sell(datetime(2026, 11, 19, tzinfo=UTC), count=yesterday[0], amount_minor=yesterday[1])
    sell(datetime(2026, 11, 17, 23, 59, tzinfo=UTC), count=30, amount_minor=5000)

    assert (AlarmKind.REVENUE_DOWN in find_alarms(now=datetime(2026, 11, 20, tzinfo=UTC))) is is_raised


def test_revenue_is_compared_in_each_currency() -> None:
    for day, dollars, yen in ((18, 1000, 1000), (19, 5000, 500)):
        sell(datetime(2026, 11, day, 5, tzinfo=UTC), count=20, amount_minor=dollars)
        sell(datetime(2026, 11, day, 5, tzinfo=UTC), count=20, amount_minor=yen, currency="jpy")

    detail = find_alarms(now=NOON)[AlarmKind.REVENUE_DOWN]

    assert "¥10,000 after ¥20,000" in detail
    assert "$" not in detail


def test_without_an_address_nobody_is_written_to(settings: Settings) -> None:
    settings.FINANCE_EMAILS = []
    fail_payments()

    assert watch_alarms(now=timezone.now()) == 1
    assert not OutgoingMail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_watchers_at_once_raise_one_alarm_and_write_one_mail() -> None:
    fail_payments()
    now = timezone.now()

    counts = at_once(*[lambda: watch_alarms(now=now)] * 4)

    assert sum(counts) == 1
    assert StaffAlarm.objects.count() == 1
    assert OutgoingMail.objects.count() == 1


def test_an_event_that_is_replayed_waits_since_then(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOON, tick=False)
    add_event("evt_old", state="dead", minutes_ago=60 * 48)
    replay_event(event_id="evt_old")

    time_machine.shift(300)
    assert AlarmKind.EVENTS_WAIT not in find_alarms(now=timezone.now())
    time_machine.shift(1)
    assert AlarmKind.EVENTS_WAIT in find_alarms(now=timezone.now())


def test_an_event_that_fails_again_and_again_waits_since_it_came() -> None:
    add_event("evt_fails", state="pending", minutes_ago=6, traceback="Traceback")
    StripeEvent.objects.update(tries=3, next_try_at=timezone.now() + timedelta(minutes=9))

    assert AlarmKind.EVENTS_WAIT in find_alarms(now=timezone.now())


def test_an_alarm_that_cannot_be_looked_at_silences_no_other(
    monkeypatch: pytest.MonkeyPatch, time_machine: TimeMachineFixture
) -> None:
    time_machine.move_to(NOON, tick=False)
    lose_revenue()
    fail_payments()

    def break_down(now: datetime) -> str:
        raise KeyError("usd")

    for kind in (AlarmKind.PAYMENTS_FAILED, AlarmKind.FINDINGS_OPEN):
        monkeypatch.setitem(LOOKS, kind, break_down)
    StaffAlarm.objects.create(
        kind=AlarmKind.FINDINGS_OPEN, since=timezone.now(), last_seen_at=timezone.now(), detail="Open findings: 1 high."
    )

    with pytest.raises(RuntimeError, match="2 alarms could not be looked at: payments_failed, findings_open"):
        watch_alarms(now=timezone.now())

    active = StaffAlarm.objects.filter(ended_at=None).order_by("kind").values_list("kind", flat=True)
    assert list(active) == ["findings_open", "revenue_down"]
