"""`/metrics`: who may read it, true numbers, and a page that explains each of them."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import (
    Adjustment,
    CreditBalance,
    CustomerFlag,
    OutgoingMail,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    RefundRequest,
    StaffAlarm,
    StripeEvent,
    TopUpConsent,
    WebhookDelivery,
)
from billing.selectors.metrics import read_gauges
from billing.services.holds import place_hold
from billing.services.mails import queue_mail
from billing.tests.integrator import message_for, subscribe
from billing.tests.plan_subscriptions import subscribe as with_plan
from billing.tests.plan_world import make_plan
from billing.tests.shop import make_customer
from billing.tests.views.rows import add_entry, make_payment
from billing.tests.views.test_notice_banners import make_top_up

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-the-scraper"
MORE_QUERIES_THAN_ANY_SCRAPE = 21


@pytest.fixture(autouse=True)
def offered(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape() -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    response = Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def make_event(name: str, *, state: str, minutes_ago: int) -> None:
    now = timezone.now()
    came_at = now - timedelta(minutes=minutes_ago)
    event = StripeEvent.objects.create(
        event_id=name,
        type="charge.refunded",
        livemode=False,
        body="{}",
        occurred_at=now,
        state=state,
        next_try_at=came_at if state == "pending" else None,
    )
    StripeEvent.objects.filter(pk=event.pk).update(received_at=came_at)


def test_the_answer_is_prometheus_text() -> None:
    response = Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})

    assert response["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in response["Cache-Control"]
    assert "# TYPE prepaid_holds_open gauge\nprepaid_holds_open 0.0\n" in response.content.decode()


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}], ids=str)
def test_without_the_token_nobody_reads(header: dict[str, str]) -> None:
    response = Client().get("/metrics", headers=header)

    assert (response.status_code, response.content) == (403, b"Not allowed.\n")


def test_without_a_token_configured_there_is_no_page(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""

    for header in ({}, {"authorization": "Bearer "}):
        assert Client().get("/metrics", headers=header).status_code == 404


@pytest.mark.parametrize(
    ("is_debug", "address", "forwarded", "status"),
    [
        (True, "127.0.0.1", None, 200),
        (True, "::1", None, 200),
        (True, "203.0.113.9", None, 404),
        (True, "127.0.0.1", "203.0.113.9", 404),
        (False, "127.0.0.1", None, 404),
    ],
)
def test_this_machine_reads_while_debugging(
    settings: Settings, is_debug: bool, address: str, forwarded: str | None, status: int
) -> None:
    settings.METRICS_TOKEN, settings.DEBUG = "", is_debug
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert Client().get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


def test_only_reading_is_possible() -> None:
    assert Client().post("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 405


def test_events_are_counted_by_state_and_age() -> None:
    make_event("evt_1", state="pending", minutes_ago=3)
    make_event("evt_2", state="pending", minutes_ago=1)
    make_event("evt_3", state="dead", minutes_ago=60 * 25)
    make_event("evt_4", state="done", minutes_ago=60)

    read = scrape()

    assert [read["prepaid_stripe_events_unfinished", state] for state in ("pending", "parked", "dead")] == [2, 0, 1]
    assert 180 <= read["prepaid_stripe_event_oldest_pending_seconds",] < 240
    assert [read["prepaid_stripe_events_24h", state] for state in ("pending", "done", "dead")] == [2, 1, 0]


def test_money_and_credits_are_counted() -> None:
    rich, poor = make_customer(), make_customer()
    add_entry(rich, "100.5")
    add_entry(poor, "10")
    add_entry(poor, "-10", kind=EntryKind.USAGE)
    CreditBalance.objects.filter(pk=poor.pk).update(posted=-4, frozen_at=timezone.now())
    place_hold(customer_id=rich.pk, amount=Decimal(2), key="api:work")
    make_payment(rich, paid_at=timezone.now(), paid_amount_minor=1000, paid_currency="usd")
    make_payment(rich)

    read = scrape()

    assert (read["prepaid_credits_owed",], read["prepaid_credits_debt",]) == (100.5, 4)
    assert (read["prepaid_holds_open",], read["prepaid_customers_frozen",]) == (1, 1)
    assert 0 <= read["prepaid_hold_oldest_open_seconds",] < 60
    assert [read["prepaid_payments_24h", state] for state in ("paid", "pending", "failed")] == [1, 1, 0]


def test_what_staff_should_look_at_is_counted() -> None:
    customer, now = make_customer(), timezone.now()
    staff = User.objects.create_user("ann@example.com", is_staff=True)
    for cause in ("staff", "books"):
        CustomerFlag.objects.create(customer=customer, cause=cause, reason="Look", freezes=False, raised_at=now)
    wish = {
        "requested_by": staff,
        "requested_at": now - timedelta(hours=2),
        "reason_code": "other",
        "needs_approval": True,
        "form_key": "form",
    }
    Adjustment.objects.create(customer=customer, amount=1, **wish)
    payment = make_payment(customer)
    refund = {"payment": payment, "amount_minor": 1, "currency": "usd", **wish, "needs_approval": False}
    RefundRequest.objects.create(**refund, stripe_idempotency_key="refund-1", sent_at=now)
    for state, ended_at in (("open", None), ("accepted", now)):
        ReconciliationFinding.objects.create(
            fingerprint=f"kind:{state}",
            kind="kind",
            severity="high",
            detail="Differs",
            occurred_at=now,
            first_seen_at=now,
            last_seen_at=now,
            state=state,
            ended_at=ended_at,
        )

    read = scrape()

    assert read["prepaid_customers_flagged",] == 1
    assert [read["prepaid_findings_open", severity] for severity in ("critical", "high")] == [0, 1]
    assert [read["prepaid_approvals_waiting", kind] for kind in ("adjustment", "refund")] == [1, 0]
    assert 7200 <= read["prepaid_approval_oldest_waiting_seconds", "adjustment"] < 7300
    assert read["prepaid_refunds_unanswered",] == 1


def test_what_is_to_be_sent_and_what_is_alarming_is_counted() -> None:
    customer, now = make_customer(), timezone.now()
    endpoint = subscribe(customer, "https://hooks.example.com/in").endpoint
    for minutes_overdue in (5, -5):
        WebhookDelivery.objects.filter(pk=message_for(endpoint).pk).update(
            next_try_at=now - timedelta(minutes=minutes_overdue)
        )
    WebhookDelivery.objects.filter(pk=message_for(endpoint).pk).update(state="dead", next_try_at=None, ended_at=now)
    with transaction.atomic():
        queue_mail(to=["a@example.com", "b@example.com"], kind="alarm", subject="Look", text="Late.")
    OutgoingMail.objects.filter(to="b@example.com").update(state="dead")
    OutgoingMail.objects.filter(to="a@example.com").update(next_try_at=now - timedelta(minutes=2))
    StaffAlarm.objects.create(kind="events_wait", since=now, last_seen_at=now, detail="Waits")
    StaffAlarm.objects.create(kind="findings_open", since=now, last_seen_at=now, ended_at=now, detail="Over")

    read = scrape()

    assert [read["prepaid_webhook_deliveries_unsent", state] for state in ("pending", "dead")] == [2, 1]
    assert 300 <= read["prepaid_webhook_delivery_overdue_seconds",] < 360
    assert read["prepaid_notices_unexpanded",] == 4  # three messages, and that there is an endpoint
    assert [read["prepaid_mails_unsent", state] for state in ("pending", "dead")] == [1, 1]
    assert 120 <= read["prepaid_mail_overdue_seconds",] < 180
    assert 0 <= read["prepaid_notice_oldest_unexpanded_seconds",] < 60
    assert [read["prepaid_alarms_active", kind] for kind in ("events_wait", "findings_open")] == [1, 0]


def test_plans_and_top_ups_are_counted() -> None:
    customer, now = make_customer(), timezone.now()
    with_plan(customer, make_plan("pro"), status="past_due")
    with_plan(customer, make_plan("pro_plus"), status="canceled", ended_at=now)
    make_top_up(customer, days_ago=1, state="on", cause="")
    consent = TopUpConsent.objects.get()
    attempt = make_payment(customer, kind="auto_top_up", pack=consent.pack, consent=consent)
    Payment.objects.filter(pk=attempt.pk).update(created_at=now - timedelta(minutes=3))

    read = scrape()

    assert [read["prepaid_subscriptions", status] for status in ("active", "past_due", "canceled")] == [0, 1, 0]
    assert [read["prepaid_auto_top_ups", state] for state in ("on", "off")] == [1, 0]
    assert read["prepaid_top_ups_open",] == 1
    assert 180 <= read["prepaid_top_up_oldest_open_seconds",] < 240


def test_the_last_run_that_ended_is_told_by_kind() -> None:
    now = timezone.now()
    for minutes_ago, state, ended_at in ((60, "clean", now), (30, "findings", now), (1, "running", None)):
        started_at = now - timedelta(minutes=minutes_ago)
        ended = started_at + timedelta(minutes=5) if ended_at else None
        ReconciliationRun.objects.create(
            kind="stripe", trigger="schedule", started_at=started_at, ended_at=ended, state=state
        )

    read = scrape()

    assert 25 * 60 <= read["prepaid_reconciliation_last_run_age_seconds", "stripe"] < 26 * 60
    assert read["prepaid_reconciliation_last_run", "stripe", "findings"] == 1
    assert read["prepaid_reconciliation_last_run", "stripe", "clean"] == 0
    assert ("prepaid_reconciliation_last_run_age_seconds", "ledger") not in read


def test_a_scrape_costs_the_same_however_much_there_is() -> None:
    with CaptureQueriesContext(connection) as few:
        read_gauges(now=timezone.now())
    customer = make_customer()
    for number in range(5):
        make_event(f"evt_{number}", state="pending", minutes_ago=1)
        make_payment(customer)
    with CaptureQueriesContext(connection) as many:
        read_gauges(now=timezone.now())

    assert len(few) == len(many) < MORE_QUERIES_THAN_ANY_SCRAPE


def test_the_page_explains_exactly_the_gauges_with_their_labels() -> None:
    page = Path(configured.BASE_DIR, "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(prepaid_\w+)` \| ([^|]*)\| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    explained = {name: tuple(re.findall(r"(\w+):", labels)) for name, labels, _ in rows}

    gauges = read_gauges(now=timezone.now())

    assert explained == {gauge.name: gauge.labels for gauge in gauges}
    values = {name: set(re.findall(r"\b[a-z_]+\b", labels)) for name, labels, _ in rows}
    for gauge in gauges:
        assert {value for combination in gauge.values for value in combination} <= values[gauge.name]
    assert set(re.findall(r"prepaid_\w+", page)) == {gauge.name for gauge in gauges}
