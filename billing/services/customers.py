"""Customers: made at first need, frozen and flagged."""

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.ledger import balances
from billing.models import BillingCustomer

log = structlog.get_logger(__name__)


def ensure_customer(*, user: User) -> BillingCustomer:
    """The user's customer, made with an empty balance if there is none. Two callers at once get the same one."""
    with transaction.atomic():
        customer, is_new = BillingCustomer.objects.get_or_create(user=user)
        if is_new:
            balances.open_balance(customer_id=customer.pk)
    return customer


def freeze_customer(*, customer_id: int, reason: str) -> None:
    """Refuse debits and holds from now on; settling, releasing, expiry, claw-backs and grants go on.

    The first reason stays until the freeze is lifted.
    """
    with transaction.atomic():
        balances.freeze(customer_id=customer_id, reason=reason)
    log.warning("customer_frozen", customer_id=customer_id, reason=reason)


def unfreeze_customer(*, customer_id: int, reason: str) -> None:
    """Let the customer spend again; `reason` is for the log."""
    with transaction.atomic():
        balances.unfreeze(customer_id=customer_id)
    log.warning("customer_unfrozen", customer_id=customer_id, reason=reason)


def flag_customer(*, customer_id: int, reason: str) -> None:
    """Mark a customer for staff to look at. The first reason stays until staff clear it."""
    BillingCustomer.objects.filter(pk=customer_id, flagged_at__isnull=True).update(
        flagged_at=timezone.now(), flag_reason=reason[:500]
    )
    log.error("customer_flagged", customer_id=customer_id, reason=reason)
