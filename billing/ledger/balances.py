"""The balance row itself: opened with its customer, limited, frozen and freed.

Call inside the caller's database transaction.
"""

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


def set_low_threshold(*, customer_id: int, threshold: Decimal) -> None:
    """Call the balance low below so many credits from now on. Setting it is no crossing: nothing is announced."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(low_threshold=threshold)


def freeze(*, customer_id: int, reason: str, since: datetime) -> None:
    """Refuse debits and holds from now on."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(frozen_at=since, frozen_reason=reason)


def arm_top_up(*, customer_id: int, below: Decimal) -> None:
    """Let spending that takes what is available below this ask for a top-up; what was asked for before is forgotten."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(top_up_below=below, top_up_due_at=None)


def disarm_top_up(*, customer_id: int) -> None:
    """Let nothing ask for a top-up any more."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(top_up_below=None, top_up_due_at=None)


def put_off_top_up(*, customer_id: int, until: datetime | None) -> None:
    """Decide again at that time; with None what was asked for is dealt with. Nothing where none may be asked for."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id, top_up_below__isnull=False).update(top_up_due_at=until)


def unfreeze(*, customer_id: int) -> None:
    """Let the customer spend again."""
    lock_accounts(customer_ids=[customer_id])
    CreditBalance.objects.filter(pk=customer_id).update(frozen_at=None, frozen_reason="")
