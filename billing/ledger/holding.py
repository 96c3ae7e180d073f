"""Lock, load, plan, write: holds, inside the caller's database transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from billing.errors import HoldEnded, HoldNotFound, IdempotencyConflict
from billing.kinds import HoldState
from billing.ledger.hold_rows import insert_hold, load_to_end, load_to_place
from billing.ledger.lapsing import expire_lapsed
from billing.ledger.locking import hold_shape, lock_account_of_hold, lock_accounts
from billing.ledger.planning import check_books, end_hold, plan_hold, plan_settlement
from billing.ledger.shapes import ZERO, Account, Hold, hash_request
from billing.ledger.writing import write_plan
from billing.models import CreditHold


@dataclass(frozen=True, kw_only=True)
class HoldRequest:
    """A wish to set credits aside; `key` names the intent once per customer."""

    customer_id: int
    amount: Decimal
    key: str
    lifetime: timedelta
    placed_by: str = "system"
    description: str = ""
    worst_case: Decimal | None = None
    may_differ: bool = False  # a replay may ask for another amount: the caller compares what it gets


@dataclass(frozen=True, kw_only=True)
class PlacedHold:
    """A hold's row; a replay gives the one that the key named first, in whatever state it is."""

    hold: CreditHold
    is_replay: bool


@dataclass(frozen=True, kw_only=True)
class EndedHold:
    """A hold's row after it was to end, and what that did: nothing, where it had ended so before."""

    hold: CreditHold
    entry_id: int | None
    is_replay: bool
    available: Decimal  # what the customer had left then


def place(*, request: HoldRequest) -> PlacedHold:
    """Set credits aside. The same key with the same request gives the first hold, in whatever state it is.

    With a `worst_case`, a customer who can spend no more than that is held for all of it: the last call that credits
    are left for is the one that could run far beyond them.

    Raises:
        InsufficientCredits, CustomerFrozen: the customer may not spend so much.
        IdempotencyConflict: the key belongs to another request.
    """
    accounts, lapsing = lock_accounts(customer_ids=[request.customer_id])
    account = accounts[request.customer_id]
    now = timezone.now()
    worst_case = () if request.worst_case is None else (request.worst_case,)
    digest = hash_request(request.customer_id, "hold", request.amount, request.placed_by, *worst_case)
    known = load_to_place(accounts=accounts, key=request.key, lapsing=lapsing, now=now)
    if known is not None:
        if known.request_hash != digest and not request.may_differ:
            raise IdempotencyConflict(key=request.key)
        return PlacedHold(hold=CreditHold.objects.get(pk=known.ref), is_replay=True)
    expire_lapsed(account=account, now=now)
    amount = request.amount
    if request.worst_case is not None and account.spendable <= request.worst_case:
        amount = max(amount, request.worst_case)
    plan_hold(account=account, amount=amount, now=now)
    check_books(account)
    if account.entries or account.asks_for_top_up:  # more than the hold: credits had lapsed, or get few
        write_plan(accounts=[account], now=now)
    hold = CreditHold(
        customer_id=request.customer_id,
        amount=amount,
        placed_at=now,
        expires_at=now + request.lifetime,
        placed_by=request.placed_by,
        idempotency_key=request.key,
        request_hash=digest,
        description=request.description,
    )
    insert_hold(hold=hold, account=account)
    return PlacedHold(hold=hold, is_replay=False)


def settle(
    *, public_id: str, amount: Decimal, late_window: timedelta, placed_by: str | None = None, description: str = ""
) -> EndedHold:
    """Charge the true cost of a hold's work, once, and end the hold; the same cost again changes nothing.

    Raises:
        HoldNotFound: no such hold, or `placed_by` did not place it by itself.
        HoldEnded: it was released, settled with another cost, or expired longer ago than `late_window`.
    """

    def plan(account: Account, hold: Hold, now: datetime) -> int | None:
        return plan_settlement(
            account=account,
            hold=hold,
            amount=amount,
            late_window=late_window,
            now=now,
            description=description,
        )

    return _end(public_id=public_id, placed_by=placed_by, plan=plan)


def release(*, public_id: str, placed_by: str | None = None) -> EndedHold:
    """Give back what a hold set aside; releasing what was released or has expired changes nothing.

    Raises:
        HoldNotFound: no such hold, or `placed_by` did not place it by itself.
        HoldEnded: it was settled.
    """

    def plan(account: Account, hold: Hold, now: datetime) -> int | None:
        if hold.state is HoldState.SETTLED:
            raise HoldEnded(hold=hold.public_id, state=hold.state, ended_at=hold.ended_at)
        if hold.state is HoldState.OPEN:
            end_hold(account=account, hold=hold, state=HoldState.RELEASED, now=now)
        return None

    return _end(public_id=public_id, placed_by=placed_by, plan=plan)


def expire(*, public_id: str) -> EndedHold:
    """End a hold whose time is over; one that has ended or still has time stays as it is."""

    def plan(account: Account, hold: Hold, now: datetime) -> int | None:
        if hold.state is HoldState.OPEN and hold.expires_at <= now:
            end_hold(account=account, hold=hold, state=HoldState.EXPIRED, now=now)
        return None

    return _end(public_id=public_id, placed_by=None, plan=plan)


def _end(*, public_id: str, placed_by: str | None, plan: Callable[[Account, Hold, datetime], int | None]) -> EndedHold:
    """End a hold as `plan` says, where it is one that `placed_by` may end."""
    accounts, lapsing = lock_account_of_hold(public_id=public_id, placed_by=placed_by)
    if not accounts:
        raise HoldNotFound(hold=public_id)  # to others it does not exist
    (account,) = accounts.values()
    now = timezone.now()
    row = load_to_end(accounts=accounts, public_id=public_id, lapsing=lapsing, now=now)
    hold = hold_shape(row)
    if lapsing:
        expire_lapsed(account=account, now=now)
    ref = plan(account, hold, now)
    check_books(account)
    if account.entries or account.ended_holds:
        entry_ids = write_plan(accounts=[account], now=now)
        ref = entry_ids[account.customer_id, -ref] if ref is not None and ref < 0 else ref
    if account.ended_holds:
        row.state, row.settled_amount = hold.state.value, hold.settled_amount
        row.is_late, row.ended_at = hold.is_late, hold.ended_at
    available = max(ZERO, account.available)
    return EndedHold(hold=row, entry_id=ref, is_replay=not account.ended_holds, available=available)
