"""The rows of runs. Each lives under an advisory lock of its process, so that a dead one can be told from a live one.

Two runs at once are harmless: findings are the same rows by their fingerprints, and repairs converge.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from billing.models import BillingCustomer, ReconciliationRun, RunKind, RunState, RunTrigger
from billing.services.alarms import alarm_of_run

_LOCK_CLASS = 0x5245434F  # "RECO": the first half of the advisory locks of runs, the second is the run's id
_SLACK = timedelta(minutes=1)
log = structlog.get_logger(__name__)


def start_run(
    *,
    kind: RunKind,
    trigger: RunTrigger,
    repairs: bool,
    since: datetime | None = None,
    until: datetime | None = None,
    customer: BillingCustomer | None = None,
    started_by: User | None = None,
) -> ReconciliationRun:
    """A new run, after marking those as failed whose process is gone."""
    _bury_dead_runs(kind)
    run = ReconciliationRun.objects.create(
        kind=kind,
        trigger=trigger,
        repairs=repairs,
        since=since,
        until=until,
        customer=customer,
        started_by=started_by,
        started_at=timezone.now(),
    )
    _call("pg_advisory_lock", run.pk)
    return run


def is_under_way(*, kind: RunKind, trigger: RunTrigger, span: timedelta | None = None) -> bool:
    """Whether such a run lives, over so long a time: the schedule does not start a second one beside it."""
    _bury_dead_runs(kind)
    alive = ReconciliationRun.objects.filter(kind=kind, trigger=trigger, state=RunState.RUNNING)
    return any(span is None or (run.since and abs(run.started_at - run.since - span) < _SLACK) for run in alive)


@contextmanager
def ending_badly(run: ReconciliationRun) -> Iterator[None]:
    """Inside it the run is under way; whatever is raised ends it as failed and is raised on."""
    try:
        yield
    except BaseException as error:
        log.error("reconciliation_failed", alarm=True, run=run.pk, error=f"{type(error).__name__}: {error}")
        _save(run, state=RunState.FAILED, counts=run.counts, error=f"{type(error).__name__}: {error}"[:500])
        raise
    finally:
        _release(run)


def finish_run(*, run: ReconciliationRun, state: RunState, counts: dict[str, Any]) -> None:
    """Write how a run ended, and with it the mail to finance of what it has newly found."""
    with transaction.atomic():
        _save(run, state=state, counts=counts)
        alarm_of_run(run=run)
    log.info("reconciliation_ended", run=run.pk, kind=run.kind, state=state, **_figures(counts))


def _figures(counts: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if isinstance(value, int)}


def _save(run: ReconciliationRun, *, state: RunState, counts: dict[str, Any], error: str = "") -> None:
    run.state, run.counts, run.error, run.ended_at = state, counts, error, timezone.now()
    run.save(update_fields=["state", "counts", "error", "ended_at"])


def _bury_dead_runs(kind: RunKind) -> None:
    for run in ReconciliationRun.objects.filter(kind=kind, state=RunState.RUNNING):
        if _call("pg_try_advisory_lock", run.pk):  # nobody holds it, so its process is gone
            _save(run, state=RunState.FAILED, counts=run.counts, error="Its process ended before it did.")
            _release(run)


def _release(run: ReconciliationRun) -> None:
    if connection.connection is not None and not connection.needs_rollback and connection.is_usable():
        _call("pg_advisory_unlock", run.pk)


def _call(function: str, run_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [_LOCK_CLASS, run_id % 2**31])
        return cursor.fetchone()[0] is not False
