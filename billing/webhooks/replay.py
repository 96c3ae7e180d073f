"""Work stored events off once more. Facts merge by union, so a replay changes only what was missed."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from billing import wake
from billing.models import EventState, StripeEvent


def find_events_to_replay(
    *,
    event_ids: Collection[str] = (),
    types: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    states: Collection[str] = (),
) -> QuerySet[StripeEvent]:
    """Stored events that fit every filter given, oldest first; times are Stripe's. Ignored ones may not be trusted."""
    events = StripeEvent.objects.exclude(state=EventState.IGNORED).order_by("occurred_at", "pk")
    if event_ids:
        events = events.filter(event_id__in=event_ids)
    if types:
        events = events.filter(type__in=types)
    if states:
        events = events.filter(state__in=states)
    if since is not None:
        events = events.filter(occurred_at__gte=since)
    if until is not None:
        events = events.filter(occurred_at__lt=until)
    return events


def replay_event(*, event_id: str) -> bool:
    """Make an event due again, with all its tries, and wake a worker; False if it is unknown or ignored."""
    known = StripeEvent.objects.filter(event_id=event_id).exclude(state=EventState.IGNORED)
    is_due = bool(
        known.update(
            state=EventState.PENDING,
            reason="",
            tries=0,
            next_try_at=timezone.now(),
            parked_at=None,
            done_at=None,
            traceback="",
        )
    )
    if is_due:
        wake.wake_task(name=wake.WORK_OFF_EVENT, arguments=(event_id,))
    return is_due
