"""All rules of the ledger: what an operation does to a locked account (pure: no Django, no clock, no database).

Each `plan_*` function either refuses, leaving the account as it was, or changes it and records the rows to write. The
numbers in comments are the rules of the ledger in `billing/README.md`.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from billing.errors import CustomerFrozen, HoldEnded, IdempotencyConflict, InsufficientCredits
from billing.kinds import (
    CLAW_BACKS,
    GRANT_PRIORITIES,
    RETURNS,
    SPENDING,
    UNDONE_BY_MONEY,
    AllocationKind,
    EntryKind,
    HoldState,
)
from billing.ledger.burn_down import draw, rank_for_posting, rank_for_settlement
from billing.ledger.lapsing import expire_lapsed
from billing.ledger.returning import give_back, undone_entries
from billing.ledger.shapes import (
    ZERO,
    Account,
    Grant,
    Hold,
    NewEntry,
    NewGrant,
    Posting,
    hash_request,
)
from billing.money import CREDIT_PLACES, CREDIT_STEP

_ONLY_POSITIVE = frozenset(GRANT_PRIORITIES) - {EntryKind.ADJUSTMENT} | {
    EntryKind.REFUND_REVERSAL,
    EntryKind.DISPUTE_REVERSAL,
}
_ONLY_NEGATIVE = CLAW_BACKS | SPENDING


def plan_posting(*, account: Account, posting: Posting, now: datetime) -> int:
    """Plan one posting on an account whose lapsed grants were expired; gives the reference of its entry.

    A key that is known already gives the reference of the first entry and moves nothing.

    Raises:
        IdempotencyConflict: the key stands for another request.
        CustomerFrozen, InsufficientCredits: the debit is refused (rule 7).
        RuntimeError: the posting makes no sense (sign, kind, or more returned than was taken).
    """
    request_hash = posting.request_hash()
    known = account.known_keys.get(posting.key)
    if known is not None:
        if known.request_hash != request_hash:
            raise IdempotencyConflict(key=posting.key)
        return known.ref
    _check_sense(account=account, posting=posting)
    if posting.amount < 0:
        _check_may_leave(account=account, posting=posting)
    available_before = account.available
    ref = _append_posting(account=account, posting=posting, request_hash=request_hash, now=now)
    if posting.amount < 0:
        draw(account=account, entry_ref=ref, amount=-posting.amount, rank=rank_for_posting(posting, now))
        if posting.kind in SPENDING:
            account.mark_top_up(before=available_before, spent=-posting.amount, now=now)
    elif posting.kind in RETURNS:
        give_back(account=account, posting=posting, cause_ref=ref, now=now)
        cover_uncovered(account=account, cause_ref=ref)
        expire_lapsed(account=account, now=now)
    elif posting.kind is EntryKind.WRITE_OFF:
        _write_off(account=account, amount=posting.amount, cause_ref=ref)
    else:
        _bring_in_grant(account=account, posting=posting, ref=ref)
        cover_uncovered(account=account, cause_ref=ref)
        expire_lapsed(account=account, now=now)
    return ref


def plan_hold(*, account: Account, amount: Decimal, now: datetime) -> None:
    """Set credits aside (rules 7 and 8); the caller writes the hold's row.

    Raises:
        CustomerFrozen, InsufficientCredits: the hold is refused.
    """
    _check_may_spend(account=account, amount=amount)
    account.mark_top_up(before=account.available, spent=amount, now=now)
    account.held += amount


def plan_settlement(
    *, account: Account, hold: Hold, amount: Decimal, late_window: timedelta, now: datetime, description: str = ""
) -> int | None:
    """Post the true cost of a hold's work and end the hold; gives the reference of the entry, None for a cost of 0.

    The cost may be less, equal or more than was held, below zero if need be, because the work is done (rule 8). An
    expired hold may still be settled within `late_window` of its end. The same settlement again gives its first entry.

    Raises:
        HoldEnded: it was released, settled with another cost, or expired too long ago.
    """
    key = f"hold:{hold.ref}"
    if hold.state is HoldState.SETTLED and hold.settled_amount == amount:
        return account.known_keys[key].ref if amount else None
    is_late = hold.state is HoldState.EXPIRED and hold.ended_at is not None and now <= hold.ended_at + late_window
    if hold.state is not HoldState.OPEN and not is_late:
        raise HoldEnded(hold=hold.public_id, state=hold.state, ended_at=hold.ended_at)
    set_aside = hold.amount if hold.state is HoldState.OPEN else ZERO
    account.mark_top_up(before=account.available, spent=amount - set_aside, now=now)
    ref = None
    if amount:
        ref = account.append(
            NewEntry(
                sequence=account.last_sequence + 1,
                kind=EntryKind.USAGE,
                amount=-amount,
                balance_after=account.posted - amount,
                key=key,
                request_hash=hash_request(account.customer_id, EntryKind.USAGE, -amount, hold.ref),
                description=description,
                occurred_at=now,
                hold_id=hold.ref,
                is_late=is_late,
            )
        )
        draw(account=account, entry_ref=ref, amount=amount, rank=rank_for_settlement(hold, now))
    hold.settled_amount, hold.is_late = amount, is_late
    end_hold(account=account, hold=hold, state=HoldState.SETTLED, now=now)
    return ref


def end_hold(*, account: Account, hold: Hold, state: HoldState, now: datetime) -> None:
    """End a hold and expire what only it kept of lapsed grants (rule 9)."""
    if hold.state is HoldState.OPEN:
        account.held -= hold.amount
        account.open_holds = [other for other in account.open_holds if other.ref != hold.ref]
    hold.state, hold.ended_at, hold.is_changed = state, now, True
    account.ended_holds.append(hold)
    expire_lapsed(account=account, now=now)


def cover_uncovered(*, account: Account, cause_ref: int) -> None:
    """Cover uncovered parts from what remains in grants, oldest entry first (rule 6)."""
    for part in account.uncovered:
        for grant in account.grants:
            if not part.amount:
                break
            if grant.remaining:
                share = min(part.amount, grant.remaining)
                account.allocate(
                    entry_ref=part.entry_ref, grant=grant, amount=share, kind=AllocationKind.COVER, cause_ref=cause_ref
                )
                part.amount -= share
                part.is_changed = True


def check_books(account: Account) -> None:
    """Stop before anything is written that does not add up (rule 6): remaining - uncovered = posted, one of them 0.

    Raises:
        RuntimeError: the plan would break the ledger.
    """
    remaining = sum((grant.remaining for grant in account.grants), ZERO)
    uncovered = sum((part.amount for part in account.uncovered), ZERO)
    if remaining - uncovered != account.posted or (remaining and uncovered) or account.held < 0:
        raise RuntimeError(
            f"The ledger of customer {account.customer_id} does not add up: {remaining} remaining, {uncovered} "
            f"uncovered, {account.posted} posted, {account.held} held. Nothing was written."
        )


def _check_sense(*, account: Account, posting: Posting) -> None:
    kind, amount = posting.kind, posting.amount
    wrong_sign = (amount > 0 and kind in _ONLY_NEGATIVE) or (amount < 0 and kind in _ONLY_POSITIVE)
    # Only money that comes back after all takes a write-off back, so it names its payment.
    wrong_sign = wrong_sign or (kind is EntryKind.WRITE_OFF and amount < 0 and posting.payment_id is None)
    if not amount or wrong_sign or kind is EntryKind.EXPIRY:
        raise RuntimeError(f"A posting of kind {kind} cannot have the amount {amount}.")
    if amount != amount.quantize(CREDIT_STEP):  # the columns would round entry and balance, each for itself
        raise RuntimeError(f"{amount} has more than {CREDIT_PLACES} decimal places.")
    if kind is EntryKind.WRITE_OFF and amount > max(ZERO, -account.posted):
        raise RuntimeError(f"{amount} credits cannot be written off a debt of {max(ZERO, -account.posted)}.")
    if amount > 0 and kind in RETURNS:
        returnable = sum((past.returnable() for past in undone_entries(account=account, posting=posting)), ZERO)
        if amount > returnable:
            raise RuntimeError(f"{amount} credits cannot come back, {returnable} were taken.")


def _check_may_leave(*, account: Account, posting: Posting) -> None:
    """Rule 7: usage needs available credits and no freeze, staff's debits need credits unless they may leave debt.

    An overdraft is for usage alone. Usage that only writes down what was done already is like a settlement: refusing
    it would undo no work.
    """
    if posting.kind in SPENDING:
        if not posting.is_work_done:
            _check_may_spend(account=account, amount=-posting.amount)
    elif posting.kind not in UNDONE_BY_MONEY and not posting.may_leave_debt:
        _check_covers(account=account, amount=-posting.amount, limit=ZERO)


def _check_may_spend(*, account: Account, amount: Decimal) -> None:
    if account.is_frozen:
        raise CustomerFrozen
    _check_covers(account=account, amount=amount, limit=account.overdraft_limit)


def _check_covers(*, account: Account, amount: Decimal, limit: Decimal) -> None:
    if account.available + limit < amount:
        raise InsufficientCredits(available=max(ZERO, account.available), required=amount)


def _append_posting(*, account: Account, posting: Posting, request_hash: str, now: datetime) -> int:
    return account.append(
        NewEntry(
            sequence=account.last_sequence + 1,
            kind=posting.kind,
            amount=posting.amount,
            balance_after=account.posted + posting.amount,
            key=posting.key,
            request_hash=request_hash,
            description=posting.description,
            occurred_at=posting.occurred_at or now,
            payment_id=posting.payment_id,
            plan_period_id=posting.plan_period_id,
            corrects_id=posting.corrects_id,
            source_type=posting.source_type,
            source_id=posting.source_id,
        )
    )


def _bring_in_grant(*, account: Account, posting: Posting, ref: int) -> None:
    priority = GRANT_PRIORITIES[posting.kind] if posting.priority is None else posting.priority
    grant = Grant(
        ref=ref,
        amount=posting.amount,
        remaining=posting.amount,
        priority=priority,
        expires_at=posting.expires_at,
        entry_ref=ref,
        payment_id=posting.payment_id,
        plan_period_id=posting.plan_period_id,
    )
    account.new_grants.append(
        NewGrant(grant=grant, kind=posting.kind, cost_minor=posting.cost_minor, currency=posting.currency)
    )
    account.grants.append(grant)
    account.sort_grants()


def _write_off(*, account: Account, amount: Decimal, cause_ref: int) -> None:
    rest = amount
    for part in account.uncovered:
        share = min(rest, part.amount)
        if share:
            account.clear_uncovered(part=part, amount=share, kind=AllocationKind.WRITE_OFF, cause_ref=cause_ref)
            rest -= share
