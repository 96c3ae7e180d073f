"""Takes names, addresses, telephone numbers and e-mail out of stored webhooks once they are old enough."""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing import conf
from billing.models import StripeEvent
from billing.services.redaction_text import REDACTED, redact_json, redact_words

_BATCH = 100
log = structlog.get_logger(__name__)


def redact_old_events(
    *,
    now: datetime,
    before: datetime | None = None,
    limit: int = 10**9,
    should_stop: Callable[[], bool] = lambda: False,
) -> int:
    """Redact events that were received longer ago than they are kept whole, oldest first; gives how many.

    By batches in database transactions of their own, so that memory and locks stay small however many there are, and
    several at once share the work. A redacted event can still be replayed: ids, amounts and statuses stay.
    """
    old = find_events_to_redact(now=now, before=before)
    count = 0
    while count < limit and not should_stop():
        with transaction.atomic(durable=True):
            batch = list(old.select_for_update(skip_locked=True)[: min(_BATCH, limit - count)])
            for event in batch:
                _redact(event)
            StripeEvent.objects.bulk_update(batch, ["body", "traceback", "reason", "redacted_at"])
        count += len(batch)
        if len(batch) < _BATCH:
            break
    if count:
        log.info("stripe_events_redacted", events=count)
    return count


def find_events_to_redact(*, now: datetime, before: datetime | None = None) -> QuerySet[StripeEvent]:
    """Events that are old enough and not redacted yet, oldest first; `before` names another age."""
    until = min(now, before or now - conf.webhook_body_retention())
    return StripeEvent.objects.filter(redacted_at__isnull=True, received_at__lte=until).order_by("received_at", "pk")


def _redact(event: StripeEvent) -> None:
    """Redact what the row carries in words; a message of an exception may quote anything, so of it the type stays."""
    try:
        event.body = redact_json(event.body)
    except ValueError:  # nothing that is stored looks so; what cannot be read cannot be kept
        log.error("stripe_event_unreadable", stripe_event=event.event_id)
        event.body = "{}"
    if event.traceback:
        event.traceback, kind = REDACTED, event.reason.partition(": ")
        event.reason = f"{kind[0]}: {REDACTED}" if kind[1] else event.reason
    event.reason = redact_words(event.reason)
    event.redacted_at = timezone.now()
