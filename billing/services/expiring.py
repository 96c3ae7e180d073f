"""Tells customers in time of credits that lapse: 30, 7 and 1 days before."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import CharField, Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from billing.kinds import EntryKind
from billing.models import CreditGrant, Notice
from billing.notice_kinds import NoticeEvent
from billing.services.notices import announce

STEPS_DAYS = (30, 7, 1)
_RECURRING = (EntryKind.FREE_ALLOWANCE,)  # the next ones come as these lapse: nothing is lost that one could be told of
log = structlog.get_logger(__name__)


def announce_expiring_credits(*, now: datetime, limit: int = 10_000) -> int:
    """Announce what lapses within 30, 7 and 1 days, each grant once for each step; gives how many notices.

    Of steps that were missed the one nearest to the end is told alone. A grant that lives less than twice as long as a
    step is not told of that step: who has just got credits for a month knows that it is a month.
    """
    count = 0
    for days, nearer_days in zip(STEPS_DAYS, (*STEPS_DAYS[1:], 0), strict=True):
        for grant in _find_due(days=days, nearer_days=nearer_days, now=now)[: limit - count]:
            _announce(grant, days=days)
            count += 1
    if count:
        log.info("expiring_credits_announced", count=count)
    return count


def _find_due(*, days: int, nearer_days: int, now: datetime) -> QuerySet[CreditGrant]:
    told = Notice.objects.filter(
        customer_id=OuterRef("customer_id"), event=NoticeEvent.CREDITS_EXPIRING.value, key=OuterRef("notice_key")
    )
    lapsing = CreditGrant.objects.filter(
        is_open=True,
        expires_at__gt=now + timedelta(days=nearer_days),
        expires_at__lte=now + timedelta(days=days),
        created_at__lte=F("expires_at") - timedelta(days=2 * days),
    )
    key = Concat(Cast("pk", CharField()), Value(f":{days}"))
    untold = lapsing.exclude(kind__in=_RECURRING).annotate(notice_key=key).exclude(Exists(told))
    return untold.order_by("expires_at", "pk")


def _announce(grant: CreditGrant, *, days: int) -> None:
    with transaction.atomic():
        announce(
            event=NoticeEvent.CREDITS_EXPIRING,
            customer_id=grant.customer_id,
            key=f"{grant.pk}:{days}",
            payload={
                "kind": grant.kind,
                "amount": f"{grant.remaining:.6f}",
                "expires_at": grant.expires_at.isoformat() if grant.expires_at else None,
                "days": days,
            },
        )
