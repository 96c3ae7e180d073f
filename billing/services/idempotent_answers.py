"""Answers kept for a replay are deleted after a week; the ledger remembers its keys for ever."""

from datetime import datetime, timedelta
from typing import Final

import structlog

from billing.models import IdempotentAnswer

KEPT_FOR: Final = timedelta(days=7)
_BATCH: Final = 5_000  # a few milliseconds of locks each
log = structlog.get_logger(__name__)


def purge_old_answers(*, now: datetime, batch: int = _BATCH) -> int:
    """Delete answers older than `KEPT_FOR`, a batch at a time; gives how many.

    Each batch is a database transaction of its own, so a run that is cut off has done what it has done.
    """
    old = IdempotentAnswer.objects.filter(created_at__lt=now - KEPT_FOR).order_by("created_at")
    deleted = 0
    while ids := list(old.values_list("pk", flat=True)[:batch]):
        deleted += IdempotentAnswer.objects.filter(pk__in=ids).delete()[0]
    if deleted:
        log.info("idempotent_answers_purged", count=deleted)
    return deleted
