"""Tells customers in time of credits that lapse: 30, 7 and 1 days before."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import CharField, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat

from billing.kinds import EntryKind
from billing.models import CreditGrant, Notice, Rollover, Subscription, SubscriptionStatus
from billing.notice_kinds import NoticeEvent
from billing.services.notices import announce

STEPS_DAYS = (30, 7, 1)
_RECURRING = (EntryKind.FREE_ALLOWANCE,)  # the next ones come as these lapse: nothing is lost that one could be told of
_RUNNING = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)
log = structlog.get_logger(__name__)


def announce_expiring_credits(*, now: datetime, limit: int = 10_000) -> int:
    """Announce what lapses within 30, 7 and 1 days, each end of a grant once for each step; gives how many notices.

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
    told = _notices_of_step(customer_id=OuterRef("customer_id"), name=OuterRef("notice_key"))
    told_end = Cast(KeyTextTransform("expires_at", "payload"), DateTimeField())
    lapsing = CreditGrant.objects.filter(
        is_open=True,
        expires_at__gt=now + timedelta(days=nearer_days),
        expires_at__lte=now + timedelta(days=days),
        created_at__lte=F("expires_at") - timedelta(days=2 * days),
    )
    key = Concat(Cast("pk", CharField()), Value(f":{days}"))
    untold = lapsing.exclude(kind__in=_RECURRING).annotate(notice_key=key)
    untold = untold.exclude(Exists(told.annotate(told_end=told_end).filter(told_end=OuterRef("expires_at"))))
    untold = untold.exclude(Exists(_renewing(Rollover.CAPPED)), Exists(told))
    return untold.exclude(Exists(_renewing(Rollover.UNLIMITED))).order_by("expires_at", "pk")


def _renewing(rollover: Rollover) -> QuerySet[Subscription]:
    """The subscription that a grant is an allowance of, where its next payment keeps what is left by that rule.

    What stays whole is not told of. What stays up to a cap is told of once for each step, and not of each new end.
    """
    running = Subscription.objects.filter(status__in=_RUNNING, ended_at__isnull=True, cancel_at__isnull=True)
    return running.filter(subscription_id=OuterRef("plan_period__subscription_id"), plan__rollover=rollover)


def _notices_of_step(*, customer_id: int | OuterRef, name: str | OuterRef) -> QuerySet[Notice]:
    """What was told of a step of a grant: by the step's name, and for each later end by that name and the end."""
    begins = Concat(name if isinstance(name, OuterRef) else Value(name), Value(":"))
    is_of_step = Q(key=name) | Q(key__startswith=begins)
    return Notice.objects.filter(is_of_step, customer_id=customer_id, event=NoticeEvent.CREDITS_EXPIRING.value)


def _announce(grant: CreditGrant, *, days: int) -> None:
    """Tell of a step. Credits that come back may end later than they were told to, and so may what a plan keeps."""
    end = grant.expires_at.isoformat() if grant.expires_at else None
    name = f"{grant.pk}:{days}"
    with transaction.atomic():
        told = _notices_of_step(customer_id=grant.customer_id, name=name).values_list("payload", flat=True)
        ends = {payload["expires_at"] for payload in told}
        if end in ends:  # by somebody else, meanwhile
            return
        announce(
            event=NoticeEvent.CREDITS_EXPIRING,
            customer_id=grant.customer_id,
            key=f"{name}:{end}" if ends else name,
            payload={"kind": grant.kind, "amount": f"{grant.remaining:.6f}", "expires_at": end, "days": days},
        )
