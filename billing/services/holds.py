"""Place, settle, release and expire holds: the database transaction around the ledger."""

from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import transaction

from billing import conf
from billing.errors import InvalidAmount
from billing.kinds import HoldState
from billing.ledger import holding
from billing.ledger.holding import EndedHold, HoldRequest
from billing.models import CreditHold
from billing.money import ZERO, parse_credits, parse_positive_credits
from billing.notice_kinds import NoticeEvent
from billing.services.key_limits import check_key_limit, count_key_spending
from billing.services.notices import announce

log = structlog.get_logger(__name__)


def place_hold(
    *,
    customer_id: int,
    amount: Decimal | int | str,
    key: str,
    description: str = "",
    lifetime: timedelta | None = None,
    placed_by: str = "system",
    worst_case: Decimal | None = None,
    may_differ: bool = False,
    savepoint: bool = True,
) -> CreditHold:
    """Set `amount` credits aside for work in progress. The same key gives the first hold.

    A customer who can spend no more than `worst_case` is held for all of it. With `may_differ` the same key gives the
    first hold also where another amount is asked for: then the caller compares. Without a `savepoint` a refusal ends a
    database transaction of the caller's too: two round trips less.

    Raises:
        InvalidAmount, InsufficientCredits, KeyLimitReached, CustomerFrozen, IdempotencyConflict: the hold is refused.
    """
    request = HoldRequest(
        customer_id=customer_id,
        amount=parse_positive_credits(amount),
        key=key,
        lifetime=lifetime or conf.hold_timeout(),
        placed_by=placed_by,
        description=description,
        worst_case=worst_case,
        may_differ=may_differ,
    )
    with transaction.atomic(savepoint=savepoint):
        placed = holding.place(request=request)
        if not placed.is_replay:
            hold = placed.hold
            check_key_limit(placed_by=placed_by, charged=ZERO, held=hold.amount, now=hold.placed_at)
    return placed.hold


def settle_hold(
    *,
    hold: str,
    amount: Decimal | int | str,
    placed_by: str | None = None,
    description: str = "",
    savepoint: bool = True,
) -> EndedHold:
    """Charge the true cost of the work (zero or more, also above what was held) and end the hold.

    `hold` is its public id. The same cost again changes nothing. Gives the hold and the id of its entry, if any.
    Without a `savepoint` a refusal ends a database transaction of the caller's too.

    Raises:
        InvalidAmount, HoldNotFound, HoldEnded: the settlement is refused.
    """
    cost = parse_credits(amount)
    if cost < 0:
        raise InvalidAmount(field="amount", fault=f"{cost.normalize():f} is below zero")
    with transaction.atomic(savepoint=savepoint):
        ended = holding.settle(
            public_id=hold,
            amount=cost,
            late_window=conf.late_settle_window(),
            placed_by=placed_by,
            description=description,
        )
        if cost and not ended.is_replay:
            row = ended.hold
            count_key_spending(placed_by=row.placed_by, amount=cost, now=row.ended_at or row.placed_at)
    return ended


def release_hold(*, hold: str, placed_by: str | None = None) -> CreditHold:
    """Give back what a hold set aside; nothing is charged.

    Raises:
        HoldNotFound, HoldEnded: the release is refused.
    """
    with transaction.atomic():
        return holding.release(public_id=hold, placed_by=placed_by).hold


def expire_stale_holds(*, now: datetime, limit: int = 1000, dry_run: bool = False) -> int:
    """End up to `limit` holds whose time is over, each in a database transaction of its own.

    Gives how many were looked at, with `dry_run` without ending them.

    Raises:
        RuntimeError: some could not be ended because their customers' books do not add up; all others were.
    """
    stale = CreditHold.objects.filter(state=HoldState.OPEN, expires_at__lte=now).order_by("expires_at")
    public_ids = list(stale.values_list("public_id", flat=True)[:limit])
    if dry_run:
        return len(public_ids)
    broken = []
    for public_id in public_ids:
        try:
            with transaction.atomic():
                _expire(public_id)
        except RuntimeError as error:  # one customer's broken books must not keep everybody else's credits
            log.error("hold_not_expired", alarm=True, hold=public_id, error=str(error))
            broken.append(public_id)
    if public_ids:
        log.info("holds_expired", count=len(public_ids) - len(broken))
    if broken:
        raise RuntimeError(f"{len(broken)} holds could not be ended: {', '.join(broken)}. Run reconcile_ledger.")
    return len(public_ids)


def _expire(public_id: str) -> None:
    ended = holding.expire(public_id=public_id)
    hold = ended.hold
    if not ended.is_replay:
        announce(
            event=NoticeEvent.HOLD_EXPIRED,
            customer_id=hold.customer_id,
            key=hold.public_id,
            payload={
                "hold": hold.public_id,
                "amount": f"{hold.amount:.6f}",
                "placed_at": hold.placed_at.isoformat(),
                "expires_at": hold.expires_at.isoformat(),
                "description": hold.description,
            },
            occurred_at=hold.expires_at,
        )
