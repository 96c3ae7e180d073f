"""A metered call from its hold to its charge.

    open_call     estimate and hold; nobody is served without
    finish_call   charge what was used, and write it down, in one database transaction
    abandon_call  give the hold back, and write down that nothing was charged

A process that dies in between leaves a hold, which expires by itself; a settlement within 24 hours still counts. A call
that was not charged leaves its name free: opened again, it gets a hold of its own, and whoever finishes first is
charged, once.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import ApiKey
from billing.errors import HoldEnded, InvalidRequest
from billing.kinds import EntryKind, HoldState
from billing.money import CREDIT_STEP
from billing.selectors.prices import charge_for_operation, charge_for_tokens, find_operation_price
from billing.services.batches import spend_in_batch
from billing.services.debits import SOURCE_TYPE
from billing.services.holds import release_hold, settle_hold
from billing.services.posting import Posting
from billing.usage_cost import Charge, Tokens
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.call_events import OpenCall, find_event, write_call_event
from usage.services.call_holds import hold_for_call
from usage.services.estimating import Estimate, estimate_call
from usage.services.metadata import check_metadata, make_storable

__all__ = ["OpenCall", "abandon_call", "finish_call", "open_call", "open_estimated_call", "open_operation"]

MAX_QUANTITY: Final = 1_000_000
_NO_TOKENS: Final = Tokens()
_NO_CHARGE: Final = Charge(cost_usd=Decimal(0), markup_percent=Decimal(0), credits=Decimal(0))


def open_call(
    *,
    customer_id: int,
    model: str,
    input_tokens: int,
    max_tokens: int | None,
    event_id: str,
    api_key: ApiKey | None = None,
    answers: int = 1,
    metadata: Mapping[str, Any] | None = None,
) -> OpenCall:
    """Hold credits for a call of a language model.

    Raises:
        UnknownModel, InsufficientCredits, KeyLimitReached, CustomerFrozen, InvalidRequest: nothing is held.
        IdempotencyConflict: `event_id` stands for another call.
        HoldEnded: the call of this name was charged already, or has failed too often.
    """
    estimate = estimate_call(
        customer_id=customer_id,
        model=model,
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        at=timezone.now(),
        answers=answers,
    )
    return open_estimated_call(
        customer_id=customer_id, estimate=estimate, event_id=event_id, api_key=api_key, metadata=metadata
    )


def open_estimated_call(
    *,
    customer_id: int,
    estimate: Estimate,
    event_id: str,
    api_key: ApiKey | None = None,
    metadata: Mapping[str, Any] | None = None,
    savepoint: bool = True,
) -> OpenCall:
    """`open_call` for an estimate that was made (and perhaps shown) before; the price is the estimate's.

    Without a `savepoint` a refusal ends a database transaction of the caller's too.
    """
    notes = check_metadata(metadata or {})
    hold = hold_for_call(
        customer_id=customer_id,
        amount=estimate.credits,
        worst_case=estimate.worst_case,
        event_id=event_id,
        api_key=api_key,
        description=estimate.model,
        savepoint=savepoint,
    )
    return OpenCall(
        customer_id=customer_id,
        api_key=api_key,
        event_id=event_id,
        hold=hold,
        estimated_credits=estimate.credits,
        model=estimate.model,
        price=estimate.price,
        metadata=notes,
        opened_at=timezone.now(),
        started=time.monotonic(),
    )


def open_operation(
    *,
    customer_id: int,
    operation: str,
    event_id: str,
    quantity: int = 1,
    api_key: ApiKey | None = None,
    metadata: Mapping[str, Any] | None = None,
    savepoint: bool = True,
) -> OpenCall:
    """Hold the fixed price of an operation, done `quantity` times; it is charged by `finish_call` without tokens.

    A free operation is held for the smallest amount, so that it too is written down once.

    Raises:
        UnknownOperation: it has no price.
        Otherwise like `open_call`.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidRequest(field="quantity", fault=f"it is {quantity}", remedy=f"Send 1 to {MAX_QUANTITY}.")
    notes = check_metadata(metadata or {})
    now = timezone.now()
    price = find_operation_price(operation=make_storable(operation), at=now)
    credits = charge_for_operation(version=price, quantity=quantity).credits
    hold = hold_for_call(
        customer_id=customer_id,
        amount=max(credits, CREDIT_STEP),
        worst_case=None,
        event_id=event_id,
        api_key=api_key,
        description=price.name,
        savepoint=savepoint,
    )
    return OpenCall(
        customer_id=customer_id,
        api_key=api_key,
        event_id=event_id,
        hold=hold,
        estimated_credits=credits,
        operation=operation,
        operation_price=price,
        quantity=quantity,
        metadata=notes,
        opened_at=now,
        started=time.monotonic(),
    )


def finish_call(
    *,
    call: OpenCall,
    tokens: Tokens = _NO_TOKENS,
    basis: Basis,
    status: UsageStatus = UsageStatus.COMPLETED,
    failure: str = "",
) -> UsageEvent:
    """Charge the call and write it down. The same call again gives the first event, whatever it says now.

    Raises:
        HoldEnded: the hold expired longer ago than a late settlement may come.
    """
    return end_call(call=call, tokens=tokens, basis=basis, status=status, failure=failure).event


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCall:
    """What was written down of a call, and what its customer had left right after; None where that was not seen."""

    event: UsageEvent
    available: Decimal | None = None


def end_call(
    *,
    call: OpenCall,
    tokens: Tokens = _NO_TOKENS,
    basis: Basis,
    status: UsageStatus = UsageStatus.COMPLETED,
    failure: str = "",
) -> EndedCall:
    """`finish_call` for who also wants to know what is left."""
    charge = _charge(call=call, tokens=tokens)
    write = partial(
        write_call_event, call=call, tokens=tokens, charge=charge, basis=basis, status=status, failure=failure
    )
    try:
        try:
            with transaction.atomic():
                settled = settle_hold(
                    hold=call.hold.public_id,
                    amount=charge.credits,
                    description=call.hold.description,
                    savepoint=False,
                )
                return EndedCall(event=write(entry_id=settled.entry_id), available=settled.available)
        except HoldEnded as ended:
            if ended.state != HoldState.RELEASED:
                raise
        with transaction.atomic():
            return EndedCall(event=write(entry_id=_charge_without_hold(call=call, charge=charge)))
    except (HoldEnded, IntegrityError):  # it was finished before, perhaps while we waited for the lock
        known = find_event(customer_id=call.customer_id, event_id=call.event_id)
        if known is None:
            raise
    if known.hold_id != call.hold.pk:  # another attempt was charged; this one's hold keeps nothing any more
        release_hold(hold=call.hold.public_id)
    return EndedCall(event=known)


def abandon_call(*, call: OpenCall, failure: str) -> UsageEvent:
    """Give the hold back: the work did not happen, so nothing is charged. The failure is written down for its owner.

    A call that was charged already stays charged: its event is given.
    """
    with transaction.atomic():
        try:
            release_hold(hold=call.hold.public_id)
        except HoldEnded:
            known = find_event(customer_id=call.customer_id, event_id=call.event_id)
            if known is None:
                raise
            return known
        known = find_event(customer_id=call.customer_id, event_id=call.failed_event_id)
        return known or write_call_event(
            call=call,
            tokens=_NO_TOKENS,
            charge=_NO_CHARGE,
            entry_id=None,
            basis=Basis.NOTHING,
            status=UsageStatus.FAILED,
            failure=failure,
        )


def _charge_without_hold(*, call: OpenCall, charge: Charge) -> int | None:
    """Another worker with the same hold has failed and given it back, and ours has not: the work is done all the same.

    Gives the entry. Call inside a database transaction that a second event of the name ends.
    """
    if not charge.credits:
        return None
    (outcome,) = spend_in_batch(
        customer_id=call.customer_id,
        postings=[
            Posting(
                customer_id=call.customer_id,
                kind=EntryKind.USAGE,
                amount=-charge.credits,
                key=f"usage:{call.event_id}",
                description=call.hold.description,
                source_type=SOURCE_TYPE,
                source_id=call.hold.placed_by,
                is_work_done=True,
            )
        ],
        placed_by=call.hold.placed_by,
        is_limited=False,
    )
    return outcome.entry_id


def _charge(*, call: OpenCall, tokens: Tokens) -> Charge:
    if call.price is not None:
        return charge_for_tokens(version=call.price, tokens=tokens)
    if call.operation_price is not None:
        return charge_for_operation(version=call.operation_price, quantity=call.quantity)
    raise RuntimeError(f"The call {call.event_id} has no price.")
