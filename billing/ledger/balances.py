"""The balance row itself: opened with its customer, frozen and freed. Call inside the caller's database transaction."""

from datetime import datetime
from decimal import Decimal

from billing.ledger.locking import lock_accounts
from billing.models import CreditBalance


def open_balance(*, customer_id: int) -> None:
    """Give a new customer an empty balance, the row that every write will lock."""
    CreditBalance.objects.create(customer_id=customer_id)


def set_overdraft_limit(*, customer_id: int, limit: Decimal) -> Decimal:
    """Let usage take the balance so far below zero from now on; gives the limit from before.

    What is spent or held already stays: a lower limit refuses what comes next.
    """
    accounts, _ = lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(overdraft_limit=limit)
    return accounts[customer_id].overdraft_limit


def freeze(*, customer_id: int, reason: str, since: datetime) -> None:
    """Refuse debits and holds from now on."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(frozen_at=since, frozen_reason=reason)


def unfreeze(*, customer_id: int) -> None:
    """Let the customer spend again."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(frozen_at=None, frozen_reason="")
