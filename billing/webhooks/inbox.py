"""The inbox: store each event once, then work it off. The table is the truth; tasks and the sweeper only look into it.

pending -> done, or parked (not ours yet), or dead (failed too often, or contradicts what we know); ignored from the
start where we may not trust it. Effect and mark are written in one database transaction.
"""

import json
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from billing import conf
from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.gateway.parsing import parse_event
from billing.models import EventState, Severity, StripeEvent
from billing.services.convergence import Convergence
from billing.services.findings import end_findings_about, raise_finding
from billing.webhooks.dispatch import HANDLERS
from billing.webhooks.effects import Effect

_FIRST_BACK_OFF = timedelta(seconds=2)
_BACK_OFF_GROWTH = 4  # eight tries span two hours: an outage of Stripe's should not need a person
_LONGEST_BACK_OFF = timedelta(hours=1)
_UNMATCHED, _CONTRADICTED, _FAILED = _FINDING_KINDS = ("event_unmatched", "event_contradicted", "event_failed")
NOT_OURS = "It speaks of nothing that we know (yet)."
log = structlog.get_logger(__name__)


def store_event(*, event: EventEnvelope, body: bytes) -> EventState:
    """Store a verified event unless it is there already, and give the state in which it enters. One statement."""
    now = timezone.now()
    distrust = _find_distrust(event)
    state = EventState.IGNORED if distrust else EventState.PENDING
    if distrust:
        log.error("stripe_event_ignored", alarm=True, stripe_event=event.id, type=event.type, reason=distrust)
    StripeEvent.objects.bulk_create(
        [
            StripeEvent(
                event_id=event.id,
                type=event.type,
                api_version=event.api_version,
                livemode=event.livemode,
                account=event.account,
                object_id=event.object_id,
                related_ids=list(event.related_ids),
                body=body.decode(),
                occurred_at=event.created_at or now,
                state=state,
                reason=distrust,
                next_try_at=now if state is EventState.PENDING else None,
            )
        ],
        ignore_conflicts=True,
    )
    return state


def work_off_event(*, event_id: str, gateway: StripeGateway) -> EventState | None:
    """Work off one event if it is due and nobody else is at it; gives its new state, or None."""
    return _work_off(claimed=_claim(event_id=event_id), gateway=gateway)


def work_off_due_events(
    *, gateway: StripeGateway, limit: int = 10_000, should_stop: Callable[[], bool] = lambda: False
) -> int:
    """Work off what is due, oldest first, until `limit` or `should_stop`; gives how many events that were."""
    count = 0
    while count < limit and not should_stop():
        claimed = _claim()
        if claimed is None:
            break
        _work_off(claimed=claimed, gateway=gateway)
        count += 1
    return count


def find_forgotten_events(*, now: datetime, limit: int = 100) -> int:
    """Turn events that were parked for too long into findings: dead, visible to staff, with an alarm."""
    parked = StripeEvent.objects.filter(state=EventState.PARKED, parked_at__lte=now - conf.parked_event_lifetime())
    hours = conf.parked_event_lifetime() // timedelta(hours=1)
    reason = f"Nothing of ours that it speaks of turned up in {hours} hours."
    count = 0
    for event in parked.order_by("parked_at")[:limit]:
        with transaction.atomic():
            if not parked.filter(pk=event.pk).update(state=EventState.DEAD, reason=reason):
                continue
            _raise_finding(event=event, kind=_UNMATCHED, severity=Severity.HIGH, detail=reason)
        count += 1
        log.error("stripe_event_unmatched", alarm=True, stripe_event=event.event_id, type=event.type)
    return count


def _find_distrust(event: EventEnvelope) -> str:
    if event.livemode is not conf.is_live():
        return "It is of live mode, our keys are not." if event.livemode else "It is of test mode, our keys are not."
    if event.account:
        return "It belongs to a connected account."
    return ""


def _claim(*, event_id: str | None = None) -> StripeEvent | None:
    """Take one due event: counting the try and moving its next one ahead keeps others off, and survives a crash."""
    with transaction.atomic(durable=True):
        now = timezone.now()
        due = StripeEvent.objects.filter(state=EventState.PENDING, next_try_at__lte=now)
        if event_id is not None:
            due = due.filter(event_id=event_id)
        event = due.select_for_update(skip_locked=True).order_by("next_try_at", "pk").first()
        if event is None:
            return None
        if event.tries >= conf.webhook_max_tries():  # the last try ended with its process
            reason = "Its last try did not come to an end."
            _bury(event=event, reason=reason)
            _raise_finding(event=event, kind=_FAILED, severity=Severity.HIGH, detail=reason)
            event.save(update_fields=["state", "reason"])
            return event
        event.tries += 1
        event.next_try_at = now + _back_off(tries=event.tries)
        event.save(update_fields=["tries", "next_try_at"])
    return event


def _work_off(*, claimed: StripeEvent | None, gateway: StripeGateway) -> EventState | None:
    if claimed is None:
        return None
    if claimed.state != EventState.PENDING:
        return EventState(claimed.state)
    try:
        handler = HANDLERS.get(claimed.type)
        if handler is None:
            return _finish(event=claimed, effect=lambda: Convergence.CONVERGED)
        effect = handler(event=parse_event(json.loads(claimed.body)), gateway=gateway)
        return _finish(event=claimed, effect=effect or (lambda: Convergence.UNKNOWN))
    except Exception as error:  # whatever it was is kept with the event, which is tried again
        return _record_failure(claimed=claimed, error=error)


def _finish(*, event: StripeEvent, effect: Effect) -> EventState | None:
    """Effect and mark in one database transaction. Somebody may have finished the event while we read from Stripe."""
    with transaction.atomic(durable=True):
        event = StripeEvent.objects.select_for_update().get(pk=event.pk)
        if event.state != EventState.PENDING:
            return EventState(event.state)
        now = timezone.now()
        match effect():
            case Convergence.CONVERGED:
                end_findings_about(kinds=_FINDING_KINDS, subject=event.event_id, reason="The event was worked off.")
                event.state, event.done_at, event.reason, event.traceback = EventState.DONE, now, "", ""
            case Convergence.UNKNOWN:  # waiting is no failure, so its tries do not count
                # One that is looked at again and again is waiting since it was parked first.
                event.state, event.parked_at = EventState.PARKED, event.parked_at or now
                event.reason, event.tries = NOT_OURS, 0
            case Convergence.CONTRADICTED:
                reason = "It contradicts what we know of the payment that it names."
                _bury(event=event, reason=reason)
                _raise_finding(event=event, kind=_CONTRADICTED, severity=Severity.CRITICAL, detail=reason)
        event.save(update_fields=["state", "done_at", "parked_at", "reason", "tries", "traceback"])
    return EventState(event.state)


def _record_failure(*, claimed: StripeEvent, error: Exception) -> EventState | None:
    with transaction.atomic(durable=True):
        event = StripeEvent.objects.select_for_update().get(pk=claimed.pk)
        if event.state != EventState.PENDING:
            return EventState(event.state)
        event.traceback = "".join(traceback.format_exception(error)).replace("\x00", "")
        event.next_try_at = timezone.now() + _back_off(tries=event.tries)
        if event.tries >= conf.webhook_max_tries():
            reason = f"{type(error).__name__}: {error}".replace("\x00", "")
            _bury(event=event, reason=reason)
            _raise_finding(event=event, kind=_FAILED, severity=Severity.HIGH, detail=reason)
        else:
            log.warning(
                "stripe_event_failed", stripe_event=event.event_id, tries=event.tries, error=type(error).__name__
            )
        event.save(update_fields=["state", "reason", "traceback", "next_try_at"])
    return EventState(event.state)


def _bury(*, event: StripeEvent, reason: str) -> None:
    event.state, event.reason = EventState.DEAD, reason[:300]
    log.error("stripe_event_dead", alarm=True, stripe_event=event.event_id, type=event.type, reason=event.reason)


def _raise_finding(*, event: StripeEvent, kind: str, severity: Severity, detail: str) -> None:
    raise_finding(
        kind=kind,
        severity=severity,
        subject=event.event_id,
        detail=f"{event.type}: {detail}",
        stripe_id=event.object_id,
        theirs={"event": event.event_id, "type": event.type, "names": event.related_ids},
        suggested_repair="Look at the event and replay it, or accept the finding with a reason.",
        occurred_at=event.occurred_at,
    )


def _back_off(*, tries: int) -> timedelta:
    growth: int = _BACK_OFF_GROWTH ** (tries - 1)
    return min(_FIRST_BACK_OFF * growth, _LONGEST_BACK_OFF)
