"""What waits: events for work, wishes for a second person, findings and flagged customers for staff."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Case, Count, F, Min, Q, When
from django.db.models.functions import Greatest

from billing.models import (
    Adjustment,
    CustomerFlag,
    EventState,
    FindingState,
    ReconciliationFinding,
    RefundRequest,
    Severity,
    StripeEvent,
)

UNFINISHED: Final = (EventState.PENDING, EventState.PARKED, EventState.DEAD)
# One that is not tried yet waits since it was due, which is when it came, or when it was made due again.
_WAITS_SINCE: Final = Case(
    When(state=EventState.PENDING, tries=0, then=Greatest("received_at", "next_try_at")), default=F("received_at")
)
_IS_WAITING: Final = Q(needs_approval=True, decision="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many wait, and since when the oldest does."""

    count: int
    oldest_at: datetime | None


def unfinished_events() -> Mapping[EventState, Waiting]:
    """Events that are not worked off, by state; one statement of one part for each index."""
    parts = [
        StripeEvent.objects.filter(state=state)
        .order_by()
        .values_list("state")
        .annotate(count=Count("pk"), oldest_at=Min(_WAITS_SINCE))
        for state in UNFINISHED
    ]
    found = {
        EventState(state): Waiting(count=count, oldest_at=oldest_at)
        for state, count, oldest_at in parts[0].union(*parts[1:], all=True)
    }
    return {state: found.get(state, Waiting(count=0, oldest_at=None)) for state in UNFINISHED}


def count_open_findings() -> Mapping[str, int]:
    """Open findings by severity, the gravest first; also those of which there is none."""
    rows = ReconciliationFinding.objects.filter(state=FindingState.OPEN).values_list("severity")
    counts = dict(rows.annotate(count=Count("pk")))
    return {severity: counts.get(severity, 0) for severity in Severity.values}


def waiting_adjustments() -> Waiting:
    """Credits above a limit that nobody has decided on."""
    return _waiting(Adjustment.objects.filter(_IS_WAITING).aggregate(count=Count("pk"), oldest_at=Min("requested_at")))


def waiting_refunds() -> Waiting:
    """Refunds above a limit that nobody has decided on."""
    unsent = RefundRequest.objects.filter(_IS_WAITING, refund_id__isnull=True, refusal="")
    return _waiting(unsent.aggregate(count=Count("pk"), oldest_at=Min("requested_at")))


def count_unanswered_refunds() -> int:
    """Refunds sent to Stripe whose outcome is unknown."""
    return RefundRequest.objects.filter(refund_id__isnull=True, refusal="", sent_at__isnull=False).count()


def count_flagged_customers() -> int:
    """Customers with a flag that stands."""
    flags = CustomerFlag.objects.filter(ended_at__isnull=True).aggregate(count=Count("customer", distinct=True))
    return int(flags["count"])


def _waiting(row: dict[str, Any]) -> Waiting:
    return Waiting(count=row["count"], oldest_at=row["oldest_at"])
