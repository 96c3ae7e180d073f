"""Makes of each notice what is to be sent for it: rows of the outboxes, written with the mark that they are there."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from billing.models import Notice
from billing.services.mails import plan_mails
from billing.services.webhook_messages import expand_to_webhooks

Expander = Callable[[Notice], None]

# Each writes rows of its own outbox for a notice, inside the database transaction that marks the notice expanded.
EXPANDERS: tuple[Expander, ...] = (plan_mails, expand_to_webhooks)
_SHORTEST_REST, _LONGEST_REST = timedelta(seconds=10), timedelta(hours=1)
log = structlog.get_logger(__name__)


def expand_due_notices(*, limit: int = 1000, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Expand notices, oldest first, each in a database transaction of its own; gives how many.

    Several at once share the work. One that cannot be expanded keeps no other waiting, however many there are: it
    rests as long as it is old, an hour at most, and does not count.

    Raises:
        RuntimeError: some could not be expanded; all others were.
    """
    count, last_id = 0, 0
    broken: list[str] = []
    while count < limit and not should_stop():
        with transaction.atomic(durable=True):
            notice = _lock_next(after_id=last_id)
            if notice is None:
                break
            last_id = notice.pk
            if _expand(notice):
                count += 1
            else:
                _let_rest(notice)
                broken.append(notice.public_id)
    if count:
        log.info("notices_expanded", count=count)
    if broken:
        raise RuntimeError(f"{len(broken)} notices could not be expanded: {', '.join(broken[:10])}.")
    return count


def _lock_next(*, after_id: int) -> Notice | None:
    is_due = Q(next_try_at__isnull=True) | Q(next_try_at__lte=timezone.now())
    due = Notice.objects.filter(is_due, expanded_at__isnull=True, pk__gt=after_id).order_by("pk")
    return due.select_for_update(skip_locked=True).first()


def _let_rest(notice: Notice) -> None:
    now = timezone.now()
    rest = min(max(now - notice.created_at, _SHORTEST_REST), _LONGEST_REST)
    Notice.objects.filter(pk=notice.pk).update(next_try_at=now + rest)


def _expand(notice: Notice) -> bool:
    """Write all of what comes of a notice, and the mark, or nothing of it."""
    try:
        with transaction.atomic():
            for expander in EXPANDERS:
                expander(notice)
            Notice.objects.filter(pk=notice.pk).update(expanded_at=timezone.now())
            connection.check_constraints()  # else a row that is gone meanwhile fails the commit, and ends the round
    except Exception as error:  # a fault of ours with this one notice: all others still go out
        log.exception("notice_not_expanded", alarm=True, notice=notice.public_id, error=type(error).__name__)
        return False
    return True
