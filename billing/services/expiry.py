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

    Raises:
        RuntimeError: some customers' books do not add up, so nothing of theirs expired; everybody else's did.
    """
    due = CreditBalance.objects.filter(next_expiry_at__lte=now).order_by("next_expiry_at")
    customer_ids = list(due.values_list("pk", flat=True)[:limit])
    if dry_run:
        return len(customer_ids)
    count, broken = 0, []
    for customer_id in customer_ids:
        try:
            with transaction.atomic():
                count += bool(expire_lapsed_credits_of(customer_id=customer_id))
        except RuntimeError as error:  # one customer's broken books must not keep everybody else's from expiring
            log.error("credits_not_expired", alarm=True, customer_id=customer_id, error=str(error))
            broken.append(customer_id)
    if count:
        log.info("credits_expired", customers=count)
    if broken:
        raise RuntimeError(f"Credits of {len(broken)} customers could not expire: {broken}. Run reconcile_ledger.")
    return count
