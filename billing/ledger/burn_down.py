"""Which grants an outgoing entry draws on, and in which order (pure)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from billing.kinds import CLAW_BACKS, AllocationKind, EntryKind, HoldState
from billing.ledger.shapes import Account, Grant, Hold, Posting, UncoveredEntry


def draw(*, account: Account, entry_ref: int, amount: Decimal, rank: Callable[[Grant], int]) -> None:
    """Burn down: by rank, then in the order of the account's grants; what no grant pays is uncovered (rules 5, 6)."""
    rest = amount
    for grant in sorted(account.grants, key=rank):
        if not rest:
            return
        if grant.remaining:
            share = min(rest, grant.remaining)
            account.allocate(entry_ref=entry_ref, grant=grant, amount=share, kind=AllocationKind.DRAW)
            rest -= share
    if rest:
        account.uncovered.append(UncoveredEntry(entry_ref, rest, is_changed=True))


def rank_for_posting(posting: Posting, now: datetime) -> Callable[[Grant], int]:
    """Own grants first, then all in order; a lapsed grant that holds keep is the last resort before a debt.

    A debit that finds nothing else takes from it rather than leave an uncovered part beside credits that remain.
    """
    is_claw_back = posting.kind in CLAW_BACKS

    def rank(grant: Grant) -> int:
        if is_claw_back and posting.payment_id is not None and grant.payment_id == posting.payment_id:
            return 0
        if is_claw_back and posting.plan_period_id is not None and grant.plan_period_id == posting.plan_period_id:
            return 0
        if posting.kind is EntryKind.CORRECTION and grant.entry_ref == posting.corrects_id:
            return 0
        return 1 if is_claw_back or not grant.has_lapsed(now) else 2

    return rank


def rank_for_settlement(hold: Hold, now: datetime) -> Callable[[Grant], int]:
    """All in order, among them the lapsed grants that this hold kept; those that only others keep come last.

    A hold that is settled late keeps nothing any more.
    """
    is_open = hold.state is HoldState.OPEN

    def rank(grant: Grant) -> int:
        is_kept_for_it = is_open and grant.expires_at is not None and hold.placed_at < grant.expires_at
        return 1 if is_kept_for_it or not grant.has_lapsed(now) else 2

    return rank
