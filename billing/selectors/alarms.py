"""What staff should be alarmed about now, each in a sentence without personal data (docs/operations.md)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db.models import Count, Q, Sum
from django.utils import timezone

from billing.models import (
    AlarmKind,
    EventState,
    Invoice,
    InvoiceStatus,
    Payment,
    StaffAlarm,
    StripeEvent,
    WebhookAttempt,
)
from billing.money import format_money
from billing.selectors.dashboard import PAYMENT_FAILED
from billing.selectors.waiting import count_open_findings, unfinished_events

IN_A_ROW: Final = 5
_PAYMENTS_OF, _WEBHOOKS_OF = timedelta(days=7), timedelta(days=1)  # what is older says nothing of now
_NOT_COLLECTED: Final = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)
_LEAST_PAYMENTS: Final = 20  # fewer in a day go up and down by chance
_SMALLEST_FALL_PERCENT: Final = 10
_WAITS_TOO_LONG: Final = timedelta(minutes=5)


def active_alarms() -> list[StaffAlarm]:
    """The episodes that are not over, the oldest first."""
    return list(StaffAlarm.objects.filter(ended_at__isnull=True).order_by("since"))


def _payments_failed(now: datetime) -> str:
    """The last five payments that somebody tried, or that a plan's invoice asked for: all failed.

    A checkout that was left without an attempt is none. An invoice has a payment of ours only once it is paid.
    """
    since = now - _PAYMENTS_OF
    tried = Payment.objects.filter(Q(paid_at__isnull=False) | PAYMENT_FAILED, created_at__gte=since)
    unpaid = Invoice.objects.filter(status__in=_NOT_COLLECTED, attempt_count__gt=0, created_at__gte=since)
    outcomes = [
        *tried.order_by("-created_at").values_list("created_at", "paid_at", "customer_id")[:IN_A_ROW],
        *unpaid.order_by("-created_at").values_list("created_at", "paid_at", "customer_id")[:IN_A_ROW],
    ]
    last = sorted(outcomes, key=lambda outcome: outcome[0])[-IN_A_ROW:]
    if len(last) < IN_A_ROW or any(paid_at for _, paid_at, _ in last):
        return ""
    customers = len({customer_id for _, _, customer_id in last})
    return f"The last {IN_A_ROW} payments failed, of {customers} customer{'s' if customers > 1 else ''}."


def _stripe_events_failed(now: datetime) -> str:
    """The last five events that were tried: none could be worked off."""
    tried = Q(state__in=(EventState.DONE, EventState.DEAD)) | (Q(state=EventState.PENDING) & ~Q(traceback=""))
    events = StripeEvent.objects.filter(tried, received_at__gte=now - _WEBHOOKS_OF).order_by("-received_at")
    last = list(events.values_list("state", "type")[:IN_A_ROW])
    if len(last) < IN_A_ROW or any(state == EventState.DONE for state, _ in last):
        return ""
    return f"The last {IN_A_ROW} events of Stripe's failed: {', '.join(sorted({kind for _, kind in last}))}."


def _deliveries_failed(now: datetime) -> str:
    """The last five tries of webhooks that we send, to whomever: none was taken."""
    attempts = WebhookAttempt.objects.filter(attempted_at__gte=now - _WEBHOOKS_OF).order_by("-attempted_at", "-pk")
    last = list(attempts.values_list("is_success", "delivery__endpoint")[:IN_A_ROW])
    if len(last) < IN_A_ROW or any(is_success for is_success, _ in last):
        return ""
    endpoints = len({endpoint for _, endpoint in last})
    return f"The last {IN_A_ROW} webhooks that we sent failed, to {endpoints} endpoint{'s' if endpoints > 1 else ''}."


def _revenue_down(now: datetime) -> str:
    """Per currency what was collected yesterday against the day before, both whole UTC days."""
    today = datetime.combine(now.astimezone(UTC).date(), time.min, UTC)
    yesterday, before = (_collected(since=today - timedelta(days=days)) for days in (1, 2))
    falls = []
    for currency, (sum_before, count_before) in sorted(before.items()):
        sum_yesterday = yesterday.get(currency, (0, 0))[0]
        is_down = sum_yesterday * 100 <= sum_before * (100 - _SMALLEST_FALL_PERCENT)
        if count_before >= _LEAST_PAYMENTS and sum_before > 0 and is_down:
            was, is_now = (
                format_money(amount_minor=amount, currency=currency) for amount in (sum_before, sum_yesterday)
            )
            falls.append(f"{is_now} after {was} the day before")
    return f"Collected yesterday (UTC): {'; '.join(falls)}." if falls else ""


def _collected(*, since: datetime) -> Mapping[str, tuple[int, int]]:
    """Sum and number of the payments of one day, by currency."""
    paid = Payment.objects.filter(paid_at__gte=since, paid_at__lt=since + timedelta(days=1))
    rows = paid.values_list("paid_currency").annotate(total=Sum("paid_amount_minor"), count=Count("pk"))
    return {currency: (total, count) for currency, total, count in rows.order_by()}


def _findings_open(now: datetime) -> str:
    counts = [f"{count} {severity}" for severity, count in count_open_findings().items() if count]
    return f"Open findings: {', '.join(counts)}." if counts else ""


def _events_wait(now: datetime) -> str:
    waiting = unfinished_events()[EventState.PENDING]
    if waiting.oldest_at is None or now - waiting.oldest_at <= _WAITS_TOO_LONG:
        return ""
    since = timezone.localtime(waiting.oldest_at, UTC)
    return f"{waiting.count} of Stripe's events wait, the oldest since {since:%Y-%m-%d %H:%M} UTC."


LOOKS: Final[Mapping[AlarmKind, Callable[[datetime], str]]] = {
    AlarmKind.PAYMENTS_FAILED: _payments_failed,
    AlarmKind.STRIPE_EVENTS_FAILED: _stripe_events_failed,
    AlarmKind.DELIVERIES_FAILED: _deliveries_failed,
    AlarmKind.REVENUE_DOWN: _revenue_down,
    AlarmKind.FINDINGS_OPEN: _findings_open,
    AlarmKind.EVENTS_WAIT: _events_wait,
}
