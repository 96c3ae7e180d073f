"""The hold of a metered call: one for each attempt at the work of a name."""

from decimal import Decimal
from typing import Final

from accounts.models import ApiKey
from billing.errors import HoldEnded, IdempotencyConflict, InvalidRequest
from billing.kinds import CALLER_KEY_PREFIX, HoldState
from billing.models import CreditHold
from billing.services.holds import place_hold
from billing.services.key_limits import placed_by_key
from usage.services.call_events import FAILED_PREFIX, find_event
from usage.services.metadata import is_storable

MAX_EVENT_ID_LENGTH: Final = 200
MAX_ATTEMPTS: Final = 50  # of one name; whoever fails so often is not helped by another try
_SYSTEM: Final = "system"


def hold_for_call(
    *,
    customer_id: int,
    amount: Decimal,
    worst_case: Decimal | None,
    event_id: str,
    api_key: ApiKey | None,
    description: str,
    savepoint: bool = True,
) -> CreditHold:
    """The open hold of a call: the one of its name, or where that ended without a charge, a new one.

    The same call may be estimated otherwise by now: it is the same by who holds and what for.

    Raises:
        InvalidRequest: the name cannot be used.
        IdempotencyConflict: the name stands for another call.
        HoldEnded: what the name stands for was charged already, or has failed too often.
        InsufficientCredits, KeyLimitReached, CustomerFrozen: nothing is held.
    """
    _check_event_id(event_id)
    placed_by = placed_by_key(api_key) if api_key else _SYSTEM
    for attempt in range(1, MAX_ATTEMPTS + 1):
        key = f"usage:{attempt}:{event_id}"
        hold = place_hold(
            customer_id=customer_id,
            amount=amount,
            worst_case=worst_case,
            key=key,
            placed_by=placed_by,
            description=description,
            may_differ=True,
            savepoint=savepoint,
        )
        if (hold.placed_by, hold.description) != (placed_by, description):
            raise IdempotencyConflict(key=event_id)
        if hold.state == HoldState.OPEN:
            return hold
        if hold.state == HoldState.SETTLED or find_event(customer_id=customer_id, event_id=event_id) is not None:
            break
    raise HoldEnded(hold=hold.public_id, state=hold.state, ended_at=hold.ended_at)


def _check_event_id(event_id: str) -> None:
    if not 1 <= len(event_id) <= MAX_EVENT_ID_LENGTH or not is_storable(event_id):
        raise InvalidRequest(
            field="idempotency_key",
            fault=f"it has {len(event_id)} characters, or some that cannot be stored",
            remedy=f"Send 1 to {MAX_EVENT_ID_LENGTH} characters that name this one call.",
        )
    for prefix in (CALLER_KEY_PREFIX, FAILED_PREFIX):  # events that callers of the API post, and failed attempts
        if event_id.startswith(prefix):
            raise InvalidRequest(
                field="idempotency_key", fault=f"{prefix} is reserved", remedy="Begin with another word."
            )
