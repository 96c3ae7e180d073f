"""Expire what has lapsed. Every write does it for its own customer; this is for those who write nothing."""

from datetime import datetime

import structlog
from django.db import transaction

from billing.ledger.posting import expire_lapsed_credits_of
from billing.models import CreditBalance

log = structlog.get_logger(__name__)


def expire_lapsed_credits(*, now: datetime, limit: int = 1000, dry_run: bool = False) -> int:
    """Expire lapsed credits of up to `limit` customers, each in a database transaction of its own.

    Gives the number of customers whose balance changed, or would be looked at with `dry_run`. Customers whose lapsed
    credits open holds keep change nothing until those holds end.
    """
    due = CreditBalance.objects.filter(next_expiry_at__lte=now).order_by("next_expiry_at")
    customer_ids = list(due.values_list("pk", flat=True)[:limit])
    if dry_run:
        return len(customer_ids)
    count = 0
    for customer_id in customer_ids:
        with transaction.atomic():
            count += bool(expire_lapsed_credits_of(customer_id=customer_id))
    if count:
        log.info("credits_expired", customers=count)
    return count
