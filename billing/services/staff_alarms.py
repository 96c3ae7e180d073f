"""Raises alarms for staff, once per episode, and ends them when what they are about is over."""

from datetime import datetime

import structlog
from django.db import IntegrityError, transaction

from billing import conf
from billing.models import AlarmKind, StaffAlarm
from billing.selectors.alarms import LOOKS
from billing.services.mails import queue_mail

log = structlog.get_logger(__name__)


def watch_alarms(*, now: datetime) -> int:
    """Look at everything that staff are alarmed about; gives how many alarms began or ended.

    Several at once are no harm: one row for each kind is active at a time, by a constraint of the database.

    Raises:
        RuntimeError: some could not be looked at, and are as they were; all others were.
    """
    count = 0
    broken: list[str] = []
    for kind, look in LOOKS.items():
        try:
            detail = look(now)
            count += _keep_up(kind=kind, detail=detail, now=now) if detail else _end(kind=kind, now=now)
        except Exception as error:  # whatever is wrong with one alarm must not silence the others
            log.exception("staff_alarm_not_watched", kind=kind.value, error=type(error).__name__)
            broken.append(kind.value)
    if broken:
        raise RuntimeError(f"{len(broken)} alarms could not be looked at: {', '.join(broken)}.")
    return count


def _keep_up(*, kind: AlarmKind, detail: str, now: datetime) -> bool:
    """Note that an alarm still holds; one that begins is written to finance in the same transaction."""
    active = StaffAlarm.objects.filter(kind=kind, ended_at__isnull=True)
    if active.update(last_seen_at=now, detail=detail):
        return False
    try:
        with transaction.atomic():
            StaffAlarm.objects.create(kind=kind, since=now, last_seen_at=now, detail=detail)
            queue_mail(
                to=conf.finance_emails(),
                kind=f"alarm.{kind.value}",
                subject=f"Prepaid: {kind.label}",
                text=_text(kind, detail),
            )
    except IntegrityError:  # somebody else has raised it meanwhile
        return False
    log.error("staff_alarm_raised", alarm=True, kind=kind.value, detail=detail)
    return True


def _end(*, kind: AlarmKind, now: datetime) -> bool:
    is_over = bool(StaffAlarm.objects.filter(kind=kind, ended_at__isnull=True).update(ended_at=now))
    if is_over:
        log.info("staff_alarm_ended", kind=kind.value)
    return is_over


def _text(kind: AlarmKind, detail: str) -> str:
    return "\n".join(
        [
            detail,
            "",
            "You are told once; the alarm ends by itself when this is over.",
            f"All alarms: {conf.site_url()}/admin/billing/staffalarm/",
            f"What it means and what to do: docs/operations.md, {kind.value}",
        ]
    )
