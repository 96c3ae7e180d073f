"""The state of the product as numbers for monitoring, computed from the database when they are asked for.

So they are the same from every process. Each query goes by an index or reads one row per customer (the balances).
docs/metrics.md explains every gauge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, Min, Q, Sum

from billing.models import (
    AlarmKind,
    AutoTopUp,
    CreditBalance,
    CreditHold,
    DeliveryState,
    EventState,
    MailState,
    Notice,
    OutgoingMail,
    Payment,
    PaymentKind,
    PaymentState,
    ReconciliationRun,
    RunKind,
    RunState,
    StripeEvent,
    Subscription,
    SubscriptionStatus,
    TopUpState,
    WebhookDelivery,
)
from billing.selectors.alarms import active_alarms
from billing.selectors.waiting import (
    count_flagged_customers,
    count_open_findings,
    count_unanswered_refunds,
    unfinished_events,
    waiting_adjustments,
    waiting_refunds,
)

RECENTLY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A number for each combination of its labels' values; without labels there is one, under the empty tuple."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    values: Mapping[tuple[str, ...], float] = field(default_factory=dict)


def read_gauges(*, now: datetime) -> list[Gauge]:
    """Every gauge with its values now. A label has all its values, also those that are 0."""
    return [
        *_inbox(now),
        *_recent(now),
        *_holds(now),
        *_balances(),
        *_waiting(now),
        *_runs(now),
        *_plans(now),
        *_sending(now),
        _alarms(),
    ]


def _gauge(name: str, meaning: str, value: Decimal | float | None) -> Gauge:
    return Gauge(name=f"prepaid_{name}", meaning=meaning, values={(): float(value or 0)})


def _by(label: str, name: str, meaning: str, values: Mapping[str, Decimal | float | None]) -> Gauge:
    shown: dict[tuple[str, ...], float] = {(key,): float(value or 0) for key, value in values.items()}
    return Gauge(name=f"prepaid_{name}", meaning=meaning, labels=(label,), values=shown)


def _age(since: datetime | None, now: datetime) -> float:
    """Seconds since then; 0 where there is nothing."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _inbox(now: datetime) -> list[Gauge]:
    events = unfinished_events()
    counts = {state.value: waiting.count for state, waiting in events.items()}
    oldest = _age(events[EventState.PENDING].oldest_at, now)
    return [
        _by("state", "stripe_events_unfinished", "Stripe's events that are not worked off.", counts),
        _gauge("stripe_event_oldest_pending_seconds", "Age of the oldest event that waits.", oldest),
    ]


def _recent(now: datetime) -> list[Gauge]:
    since = now - RECENTLY
    events = dict(StripeEvent.objects.filter(received_at__gte=since).values_list("state").annotate(count=Count("pk")))
    payments = dict(Payment.objects.filter(created_at__gte=since).values_list("state").annotate(count=Count("pk")))
    return [
        _by(
            "state",
            "stripe_events_24h",
            "Stripe's events received in the last 24 hours, by what became of them.",
            {state: events.get(state, 0) for state in EventState.values},
        ),
        _by(
            "state",
            "payments_24h",
            "Payments started in the last 24 hours, by what became of them.",
            {state: payments.get(state, 0) for state in PaymentState.values},
        ),
    ]


def _holds(now: datetime) -> list[Gauge]:
    row = CreditHold.objects.filter(state="open").aggregate(count=Count("pk"), oldest=Min("placed_at"))
    return [
        _gauge("holds_open", "Holds that stand.", row["count"]),
        _gauge("hold_oldest_open_seconds", "Age of the oldest hold that stands.", _age(row["oldest"], now)),
    ]


def _balances() -> list[Gauge]:
    row = CreditBalance.objects.aggregate(
        owed=Sum("posted", filter=Q(posted__gt=0)),
        debt=Sum("posted", filter=Q(posted__lt=0)),
        frozen=Count("pk", filter=Q(frozen_at__isnull=False)),
    )
    return [
        _gauge("credits_owed", "Credits that customers have.", row["owed"]),
        _gauge("credits_debt", "Credits that customers owe, as a positive number.", -(row["debt"] or 0)),
        _gauge("customers_frozen", "Customers that may not spend.", row["frozen"]),
    ]


def _waiting(now: datetime) -> list[Gauge]:
    wishes = {"adjustment": waiting_adjustments(), "refund": waiting_refunds()}
    counts = {kind: wish.count for kind, wish in wishes.items()}
    ages = {kind: _age(wish.oldest_at, now) for kind, wish in wishes.items()}
    oldest = "Age of the oldest wish that waits for a second person."
    return [
        _gauge("customers_flagged", "Customers that staff should look at.", count_flagged_customers()),
        _by("severity", "findings_open", "Findings of reconciliation that are open.", count_open_findings()),
        _by("kind", "approvals_waiting", "Wishes of staff that wait for a second person.", counts),
        _by("kind", "approval_oldest_waiting_seconds", oldest, ages),
        _gauge("refunds_unanswered", "Refunds sent to Stripe whose outcome is unknown.", count_unanswered_refunds()),
    ]


def _runs(now: datetime) -> list[Gauge]:
    """Of each kind the last run that ended; a kind that never ran has no value, so that `absent()` finds it."""
    parts = [
        ReconciliationRun.objects.filter(kind=kind, ended_at__isnull=False).order_by("-started_at")[:1]
        for kind in RunKind.values
    ]
    last = {run.kind: run for run in parts[0].union(*parts[1:], all=True)}
    return [
        _by(
            "kind",
            "reconciliation_last_run_age_seconds",
            "Time since the last reconciliation ended.",
            {kind: _age(run.ended_at, now) for kind, run in last.items()},
        ),
        Gauge(
            name="prepaid_reconciliation_last_run",
            meaning="1 for how the last reconciliation ended.",
            labels=("kind", "state"),
            values={
                (kind, state): float(run.state == state)
                for kind, run in last.items()
                for state in RunState.values
                if state != RunState.RUNNING
            },
        ),
    ]


def _plans(now: datetime) -> list[Gauge]:
    """Subscriptions that have not ended, and automatic top-ups: switched on or not, and under way."""
    running = Subscription.objects.filter(ended_at__isnull=True).values_list("status")
    subscriptions = dict(running.annotate(count=Count("pk")).order_by())
    switches = dict(AutoTopUp.objects.values_list("state").annotate(count=Count("pk")).order_by())
    # Each state is told by itself, as in the constraint that keeps one open top-up per customer, whose index serves it.
    still_open = Q(kind=PaymentKind.AUTO_TOP_UP, paid_at=None, failed_at=None, refused_at=None)
    top_ups = Payment.objects.filter(still_open).aggregate(count=Count("pk"), oldest=Min("created_at"))
    oldest = "Age of the oldest automatic top-up whose outcome is unknown."
    return [
        _by(
            "status",
            "subscriptions",
            "Subscriptions that have not ended, by Stripe's word.",
            {status: subscriptions.get(status, 0) for status in SubscriptionStatus.values},
        ),
        _by(
            "state",
            "auto_top_ups",
            "Customers by the state of their automatic top-up.",
            {state: switches.get(state, 0) for state in TopUpState.values},
        ),
        _gauge("top_ups_open", "Automatic top-ups whose outcome is unknown.", top_ups["count"]),
        _gauge("top_up_oldest_open_seconds", oldest, _age(top_ups["oldest"], now)),
    ]


def _sending(now: datetime) -> list[Gauge]:
    """What is to be told to others: notices, and the outboxes that they are expanded into."""
    notices = Notice.objects.filter(expanded_at__isnull=True).aggregate(count=Count("pk"), oldest=Min("created_at"))
    webhooks = WebhookDelivery.objects.filter(~Q(state=DeliveryState.DELIVERED)).aggregate(
        pending=Count("pk", filter=Q(state=DeliveryState.PENDING)),
        dead=Count("pk", filter=Q(state=DeliveryState.DEAD)),
        oldest=Min("next_try_at", filter=Q(endpoint__is_enabled=True)),
    )
    mails = OutgoingMail.objects.filter(~Q(state=MailState.SENT)).aggregate(
        pending=Count("pk", filter=Q(state=MailState.PENDING)),
        dead=Count("pk", filter=Q(state=MailState.DEAD)),
        oldest=Min("next_try_at", filter=Q(state=MailState.PENDING)),
    )
    unsent = {state: mails[state] for state in ("pending", "dead")}
    counts = {state: webhooks[state] for state in ("pending", "dead")}
    overdue = "How long the webhook that is due for longest waits."
    return [
        _gauge("notices_unexpanded", "Notices whose mails and webhooks are not written yet.", notices["count"]),
        _gauge("notice_oldest_unexpanded_seconds", "Age of the oldest of them.", _age(notices["oldest"], now)),
        _by("state", "mails_unsent", "Mails in the outbox that are not sent.", unsent),
        _gauge("mail_overdue_seconds", "How long the mail that is due for longest waits.", _age(mails["oldest"], now)),
        _by("state", "webhook_deliveries_unsent", "Webhooks that are not delivered.", counts),
        _gauge("webhook_delivery_overdue_seconds", overdue, _age(webhooks["oldest"], now)),
    ]


def _alarms() -> Gauge:
    active = {alarm.kind for alarm in active_alarms()}
    values: dict[str, float] = {kind: float(kind in active) for kind in AlarmKind.values}
    return _by("kind", "alarms_active", "1 for an alarm of staff that is active.", values)
