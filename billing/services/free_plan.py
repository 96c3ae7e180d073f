"""The Free plan: some credits on the first of each month, for those who are here and pay for no plan."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import ApiKey
from billing import conf
from billing.kinds import EntryKind
from billing.ledger.locking import lock_accounts
from billing.ledger.posting import post_entries
from billing.ledger.shapes import Posting
from billing.models import BillingCustomer, LedgerEntry, Subscription
from billing.selectors.subscriptions import entitling_subscriptions

SEEN_WITHIN: Final = timedelta(days=60)
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FreeMonth:
    """What became of one month's round."""

    month: str
    looked_at: int = 0
    granted: int = 0


def grant_free_plan(
    *, now: datetime, dry_run: bool = False, should_stop: Callable[[], bool] = lambda: False
) -> FreeMonth:
    """Give this UTC month's free credits to whom they are due and who has not had them. Safe to repeat.

    Due are verified customers who signed up before the month, were seen in the last 60 days and have no paid
    subscription. The credits expire with the month.

    Raises:
        RuntimeError: some customers' books do not add up, so they got nothing; everybody else did.
    """
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    result, broken = FreeMonth(month=f"{first:%Y-%m}"), []
    if conf.free_plan_credits() <= 0:
        return result
    for customer_id in _due(first=first, now=now).values_list("pk", flat=True).iterator(chunk_size=500):
        if should_stop():
            break
        result.looked_at += 1
        if dry_run:
            continue
        try:
            result.granted += _grant(customer_id=customer_id, first=first, now=now)
        except RuntimeError as error:  # one customer's broken books must not keep everybody else's credits
            log.error("free_plan_not_granted", alarm=True, customer_id=customer_id, error=str(error))
            broken.append(customer_id)
    log.info("free_plan_granted", month=result.month, looked_at=result.looked_at, granted=result.granted)
    if broken:
        raise RuntimeError(f"{len(broken)} customers could not get free credits: {broken}. Run reconcile_ledger.")
    return result


def _due(*, first: datetime, now: datetime) -> QuerySet[BillingCustomer]:
    seen_since = now - SEEN_WITHIN
    verified = EmailAddress.objects.filter(user_id=OuterRef("user_id"), verified=True)
    by_key = ApiKey.objects.filter(user_id=OuterRef("user_id"), last_used_at__gte=seen_since)
    by_spending = LedgerEntry.objects.filter(
        customer_id=OuterRef("pk"), kind=EntryKind.USAGE, created_at__gte=seen_since
    )
    had = LedgerEntry.objects.filter(customer_id=OuterRef("pk"), idempotency_key=_key(first))
    paid = entitling_subscriptions(now=now).filter(customer_id=OuterRef("pk"))
    seen = Q(user__last_login__gte=seen_since) | Q(Exists(by_key)) | Q(Exists(by_spending))
    return (
        BillingCustomer.objects.filter(Exists(verified), seen, user__is_active=True, created_at__lt=first)
        .exclude(Exists(had))
        .exclude(Exists(paid))
        .order_by("pk")
    )


def _grant(*, customer_id: int, first: datetime, now: datetime) -> bool:
    next_first = (first + timedelta(days=32)).replace(day=1)
    with transaction.atomic(durable=True):
        lock_accounts(customer_ids=[customer_id])
        if Subscription.objects.filter(pk__in=entitling_subscriptions(now=now), customer_id=customer_id).exists():
            return False
        posting = Posting(
            customer_id=customer_id,
            kind=EntryKind.FREE_ALLOWANCE,
            amount=conf.free_plan_credits(),
            key=_key(first),
            description=f"Free plan, {first:%B %Y}",
            expires_at=next_first,
        )
        return not post_entries(postings=[posting])[0].is_replay


def _key(first: datetime) -> str:
    return f"free:{first:%Y-%m}"
