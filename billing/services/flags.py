"""Flags on customers: why staff should look, and why spending is frozen.

The customer's and the balance's own columns follow from the flags that stand, so that one cause that ends does not
lift what another one froze.
"""

import structlog
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from billing.ledger import balances
from billing.ledger.locking import lock_accounts
from billing.models import BillingCustomer, CustomerFlag

STAFF, BOOKS = "staff", "books"
# Causes that may come again after a person ended them. Any other names one fact, on which somebody has decided.
_RECURRING = (STAFF, BOOKS)
log = structlog.get_logger(__name__)


def raise_flag(*, customer_id: int, cause: str, reason: str, freezes: bool) -> bool:
    """Flag a customer, and freeze its spending where the cause does; says whether the flag is new.

    Call inside `transaction.atomic()`; takes the lock on the balance. A cause that stands raises nothing, nor does one
    that names a fact and was lifted by somebody. One that had settled itself may come again: a dispute is appealed.
    """
    lock_accounts(customer_ids=[customer_id])
    same = CustomerFlag.objects.filter(customer_id=customer_id, cause=cause)
    was_lifted = Q() if cause in _RECURRING else Q(ended_by__isnull=False)
    if same.filter(Q(ended_at__isnull=True) | was_lifted).exists():
        return False
    CustomerFlag.objects.create(
        customer_id=customer_id, cause=cause, reason=reason[:500], freezes=freezes, raised_at=timezone.now()
    )
    _follow(customer_id=customer_id)
    log.error("customer_flagged", customer_id=customer_id, cause=cause, reason=reason, freezes=freezes)
    return True


def end_flag(*, customer_id: int, cause: str, reason: str, actor: User | None = None) -> bool:
    """End one cause; says whether it stood. Spending is free again when no cause that freezes is left.

    With an actor a cause that names a fact stays lifted for ever; without one it has settled itself.

    Call inside `transaction.atomic()`; takes the lock on the balance.
    """
    lock_accounts(customer_ids=[customer_id])
    standing = CustomerFlag.objects.filter(customer_id=customer_id, cause=cause, ended_at__isnull=True)
    has_stood = bool(standing.update(ended_at=timezone.now(), ended_by=actor, ended_reason=reason[:500]))
    if has_stood:
        _follow(customer_id=customer_id)
        log.warning("customer_flag_ended", customer_id=customer_id, cause=cause, reason=reason)
    return has_stood


def standing_flags(*, customer_id: int) -> list[CustomerFlag]:
    """The flags of a customer that stand, oldest first."""
    return list(CustomerFlag.objects.filter(customer_id=customer_id, ended_at__isnull=True).order_by("raised_at", "pk"))


def _follow(*, customer_id: int) -> None:
    """Bring the columns on customer and balance to what the standing flags say; the first reason is the one shown."""
    flags = standing_flags(customer_id=customer_id)
    first = flags[0] if flags else None
    BillingCustomer.objects.filter(pk=customer_id).update(
        flagged_at=first.raised_at if first else None, flag_reason=first.reason if first else ""
    )
    freezing = next((flag for flag in flags if flag.freezes), None)
    if freezing:
        balances.freeze(customer_id=customer_id, reason=freezing.reason, since=freezing.raised_at)
    else:
        balances.unfreeze(customer_id=customer_id)
