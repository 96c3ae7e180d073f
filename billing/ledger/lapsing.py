"""Credits whose time is over, but for what open holds keep of them (pure). Rule 9 in `billing/README.md`."""

from datetime import datetime
from decimal import Decimal

from billing.kinds import AllocationKind, EntryKind
from billing.ledger.shapes import ZERO, Account, Grant, Hold, NewEntry, hash_request


def expire_lapsed(*, account: Account, now: datetime) -> None:
    """Expire what has lapsed, but for what open holds placed before the lapse add up to (rule 9)."""
    for grant, kept in keep_for_holds(grants=account.grants, holds=account.open_holds, now=now):
        _expire(account=account, grant=grant, lost=grant.remaining - kept, occurred_at=grant.expires_at or now)


def plan_end_of_part(*, account: Account, grant: Grant, keep: Decimal, now: datetime) -> None:
    """Let what a grant has above `keep` expire now, but for what open holds need (rule 9)."""
    unheld = max(ZERO, account.posted - account.held)
    _expire(account=account, grant=grant, lost=min(grant.remaining - keep, unheld), occurred_at=now)


def _expire(*, account: Account, grant: Grant, lost: Decimal, occurred_at: datetime) -> None:
    if lost <= 0:
        return
    sequence = account.last_sequence + 1
    ref = account.append(
        NewEntry(
            sequence=sequence,
            kind=EntryKind.EXPIRY,
            amount=-lost,
            balance_after=account.posted - lost,
            key=f"expiry:{sequence}",
            request_hash=hash_request(account.customer_id, EntryKind.EXPIRY, -lost, sequence),
            description="Credits expired",
            occurred_at=occurred_at,
            payment_id=grant.payment_id,
            plan_period_id=grant.plan_period_id,
        )
    )
    account.allocate(entry_ref=ref, grant=grant, amount=lost, kind=AllocationKind.DRAW)


def keep_for_holds(*, grants: list[Grant], holds: list[Hold], now: datetime) -> list[tuple[Grant, Decimal]]:
    """The lapsed grants with what stays of each while holds placed before its lapse are open.

    The holds that may keep an earlier lapse are among those that may keep a later one, so serving the earliest lapse
    first keeps as much as possible, and no hold keeps more than its amount.
    """
    lapsed = [grant for grant in grants if grant.remaining and grant.has_lapsed(now)]
    lapsed.sort(key=lambda grant: grant.expires_at or now)
    result, kept_so_far = [], ZERO
    for grant in lapsed:
        backing = sum((hold.amount for hold in holds if grant.expires_at and hold.placed_at < grant.expires_at), ZERO)
        kept = max(ZERO, min(grant.remaining, backing - kept_so_far))
        kept_so_far += kept
        result.append((grant, kept))
    return result
