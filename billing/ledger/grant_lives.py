"""Lock, load, plan, write: when grants end, inside the caller's database transaction.

An allowance of a plan ends, or lives longer, when the next one comes. Nothing else changes the life of a grant but
credits that come back to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from billing.ledger.lapsing import expire_lapsed, plan_end_of_part
from billing.ledger.locking import load_accounts, load_open_holds, lock_accounts
from billing.ledger.planning import check_books
from billing.ledger.writing import write_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLife:
    """When a grant ends from now on, and how much of it stays until then (None: all); what is more ends at once."""

    grant_id: int
    expires_at: datetime
    keep: Decimal | None = None


def change_grant_lives(*, customer_id: int, lives: Sequence[GrantLife]) -> int:
    """Give open grants of a customer other ends; gives the number of entries that this posted. Closed ones stay.

    What open holds keep stays for them, as with any lapse (rule 9).
    """
    accounts, lapsing = lock_accounts(customer_ids=[customer_id])
    now = timezone.now()
    load_accounts(accounts=accounts, keys=[], lapsing=lapsing, now=now)
    account = accounts[customer_id]
    if account.held:
        load_open_holds(accounts=accounts, customer_ids=[customer_id])
    expire_lapsed(account=account, now=now)
    grants = {grant.ref: grant for grant in account.grants if grant.remaining}
    has_changed = False
    for life in lives:
        grant = grants.get(life.grant_id)
        if grant is None:
            continue
        has_changed = has_changed or grant.expires_at != life.expires_at
        if life.keep is not None:
            plan_end_of_part(account=account, grant=grant, keep=life.keep, now=now)
        if grant.expires_at != life.expires_at:
            grant.expires_at, grant.has_new_end, grant.is_changed = life.expires_at, True, True
    account.sort_grants()
    expire_lapsed(account=account, now=now)
    check_books(account)
    if has_changed or account.entries:
        write_plan(accounts=[account], now=now)
    return len(account.entries)
