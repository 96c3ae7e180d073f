"""The balance row itself: opened with its customer, frozen and freed. Call inside the caller's database transaction."""

from django.utils import timezone

from billing.ledger.locking import lock_accounts
from billing.models import CreditBalance


def open_balance(*, customer_id: int) -> None:
    """Give a new customer an empty balance, the row that every write will lock."""
    CreditBalance.objects.create(customer_id=customer_id)


def freeze(*, customer_id: int, reason: str) -> None:
    """Refuse debits and holds from now on. The first reason stays until the freeze is lifted."""
    lock_accounts(customer_ids=[customer_id])
    free = CreditBalance.objects.filter(pk=customer_id, frozen_at__isnull=True)
    free.update(frozen_at=timezone.now(), frozen_reason=reason)


def unfreeze(*, customer_id: int) -> None:
    """Let the customer spend again."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(frozen_at=None, frozen_reason="")
