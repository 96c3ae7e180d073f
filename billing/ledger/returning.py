"""Credits that come back: a refund that fails, money reinstated, a correction in the customer's favour (pure).

Such an entry creates no grant. It undoes allocations, newest first: what was uncovered vanishes, and what came from a
grant returns to that grant, at its cost and place (rule 10).
"""

from datetime import datetime, timedelta
from decimal import Decimal

from billing.kinds import CLAW_BACKS, UNDONE_BY_MONEY, AllocationKind, EntryKind
from billing.ledger.shapes import ZERO, Account, Grant, PastEntry, Posting

_BY_PAYMENT = frozenset({EntryKind.REFUND_REVERSAL, EntryKind.DISPUTE_REVERSAL})
_OF_MONEY = UNDONE_BY_MONEY - {EntryKind.PLAN_REVERSAL}
_LIFE_AFTER_CORRECTION = timedelta(days=30)


def undone_entries(*, account: Account, posting: Posting) -> list[PastEntry]:
    """The outgoing entries whose allocations a returning posting undoes, newest first."""
    if posting.kind in _BY_PAYMENT:
        taken = [
            past
            for past in account.past_entries.values()
            if past.kind in _OF_MONEY
            and past.payment_id == posting.payment_id
            and posting.payment_id is not None
            and posting.plan_period_id in (None, past.plan_period_id)
        ]
        return taken[::-1]
    # What a correction charged on top of a usage is a part of what it cost, and the newest part.
    refs = (*sorted(posting.on_top_ids, reverse=True), posting.corrects_id)
    return [account.past_entries[ref] for ref in refs if ref and ref in account.past_entries]


def give_back(*, account: Account, posting: Posting, cause_ref: int, now: datetime) -> None:
    """Undo allocations for a returning entry, then move claw-backs to their own grants as far as those have credits."""
    rest, until = posting.amount, _return_until(posting=posting, now=now)
    for past in undone_entries(account=account, posting=posting):
        # What a write-off that stands again drew on a moment ago was never away.
        life = None if past.kind is EntryKind.WRITE_OFF else until
        rest -= _undo(account=account, past=past, amount=min(rest, past.returnable()), until=life, cause_ref=cause_ref)
    account.sort_grants()  # an expiry may have moved
    while _move_claw_backs(account=account, cause_ref=cause_ref):
        pass  # each move lowers what claw-backs took from grants of others, so this ends


def _undo(*, account: Account, past: PastEntry, amount: Decimal, until: datetime | None, cause_ref: int) -> Decimal:
    rest = amount
    for part in account.uncovered:
        if part.entry_ref == past.ref and part.amount and rest:
            share = min(rest, part.amount)
            account.clear_uncovered(part=part, amount=share, kind=AllocationKind.RETURN, cause_ref=cause_ref)
            rest -= share
    grants = {grant.ref: grant for grant in account.grants}
    for grant_ref, drawn in past.drawn[::-1]:
        share = min(rest, drawn)
        if share <= 0:
            continue
        grant = grants[grant_ref]
        account.allocate(
            entry_ref=past.ref, grant=grant, amount=-share, kind=AllocationKind.RETURN, cause_ref=cause_ref
        )
        _extend(grant=grant, until=until)
        rest -= share
    return amount - rest


def _return_until(*, posting: Posting, now: datetime) -> datetime | None:
    """How long credits that come back last at least: as long as the caller says, after a correction 30 days."""
    if posting.return_until is None and posting.kind not in _BY_PAYMENT:
        return (posting.occurred_at or now) + _LIFE_AFTER_CORRECTION
    return posting.return_until


def _extend(*, grant: Grant, until: datetime | None) -> None:
    """The time that the money was away does not count against the credits' life."""
    if until and grant.expires_at and grant.expires_at < until:
        grant.expires_at = until


def _move_claw_backs(*, account: Account, cause_ref: int) -> bool:
    """Move what a claw-back took from other grants to its own grant, as far as that has credits."""
    has_moved = False
    grants = {grant.ref: grant for grant in account.grants}
    for past in account.past_entries.values():
        if past.kind not in CLAW_BACKS or past.payment_id is None:
            continue
        own_grants = [grant for grant in account.grants if grant.payment_id == past.payment_id]
        for own in own_grants:
            for other_ref, drawn in past.drawn[::-1]:
                other, share = grants[other_ref], min(own.remaining, drawn)
                if other in own_grants or share <= ZERO:
                    continue
                for grant, amount in ((other, -share), (own, share)):
                    account.allocate(
                        entry_ref=past.ref, grant=grant, amount=amount, kind=AllocationKind.MOVE, cause_ref=cause_ref
                    )
                has_moved = True
    return has_moved
