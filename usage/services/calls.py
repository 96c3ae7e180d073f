"""A metered call from its hold to its charge.

    open_call     estimate and hold; nobody is served without
    finish_call   charge what was used, and write it down, in one database transaction
    abandon_call  give the hold back, and write down that nothing was charged

A process that dies in between leaves a hold, which expires by itself; a settlement within 24 hours still counts.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiKey
from billing.errors import HoldEnded
from billing.kinds import CALLER_KEY_PREFIX, HoldState
from billing.models import CreditHold, OperationPrice, PricingConfig
from billing.selectors.prices import charge_for_operation, charge_for_tokens, find_operation_price
from billing.services.holds import place_hold, release_hold, settle_hold
from billing.services.key_limits import placed_by_key
from billing.usage_cost import Charge, Tokens
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.estimating import Estimate, estimate_call
from usage.services.request_hash import hash_usage

NO_TOKENS = Tokens()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """Work that credits are held for. `event_id` is its name: the same one is never charged twice."""

    customer_id: int
    api_key: ApiKey | None
    event_id: str
    hold: CreditHold
    estimated_credits: Decimal
    model: str = ""
    price: PricingConfig | None = None
    operation: str = ""
    operation_price: OperationPrice | None = None
    quantity: int = 1
    metadata: Mapping[str, Any] = field(default_factory=dict)
    opened_at: datetime
    started: float  # of the monotonic clock

    @property
    def is_default_price(self) -> bool:
        return self.price is not None and self.price.model != self.model


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
        UnknownModel, InsufficientCredits, KeyLimitReached, CustomerFrozen: nothing is held; do not call.
        IdempotencyConflict: `event_id` stands for another call.
        HoldEnded: the call of this name has ended already: it was charged, given up, or took too long.
    """
    now = timezone.now()
    estimate = estimate_call(
        customer_id=customer_id,
        model=model,
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        at=now,
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
) -> OpenCall:
    """`open_call` for an estimate that was made (and perhaps shown) before; the price is the estimate's."""
    hold = _hold(
        customer_id=customer_id,
        amount=estimate.credits,
        worst_case=estimate.worst_case,
        event_id=event_id,
        api_key=api_key,
        description=estimate.model,
    )
    return OpenCall(
        customer_id=customer_id,
        api_key=api_key,
        event_id=event_id,
        hold=hold,
        estimated_credits=estimate.credits,
        model=estimate.model,
        price=estimate.price,
        metadata=metadata or {},
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
) -> OpenCall:
    """Hold the fixed price of an operation, done `quantity` times; it is charged by `finish_call` without tokens.

    Raises:
        UnknownOperation: it has no price.
        ValueError: the price is 0: a free operation needs no call.
        Otherwise like `open_call`.
    """
    now = timezone.now()
    price = find_operation_price(operation=operation, at=now)
    credits = charge_for_operation(version=price, quantity=quantity).credits
    if not credits:
        raise ValueError(f"The operation {operation} is free.")
    hold = _hold(
        customer_id=customer_id,
        amount=credits,
        worst_case=None,
        event_id=event_id,
        api_key=api_key,
        description=price.name,
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
        metadata=metadata or {},
        opened_at=now,
        started=time.monotonic(),
    )


def finish_call(
    *,
    call: OpenCall,
    tokens: Tokens = NO_TOKENS,
    basis: Basis,
    status: UsageStatus = UsageStatus.COMPLETED,
    failure: str = "",
) -> UsageEvent:
    """Charge the call and write it down. The same call again gives the first event, whatever it says now.

    Raises:
        HoldEnded: the hold was released, or expired longer ago than a late settlement may come.
    """
    charge = _charge(call=call, tokens=tokens)
    with transaction.atomic():
        if (known := _find_event(call)) is not None:
            return known
        try:
            with transaction.atomic():
                settled = settle_hold(
                    hold=call.hold.public_id, amount=charge.credits, description=call.hold.description or call.model
                )
        except HoldEnded:
            if (known := _find_event(call)) is not None:  # somebody else settled while we waited for the lock
                return known
            raise
        if settled.is_replay and (known := _find_event(call)) is not None:
            return known
        return _write_event(
            call=call,
            tokens=tokens,
            charge=charge,
            entry_id=settled.entry_id,
            basis=basis,
            status=status,
            failure=failure,
        )


def abandon_call(*, call: OpenCall, failure: str) -> UsageEvent:
    """Give the hold back: the work did not happen, so nothing is charged. The failure is written down for its owner."""
    nothing = Charge(cost_usd=Decimal(0), markup_percent=Decimal(0), credits=Decimal(0))
    with transaction.atomic():
        if (known := _find_event(call)) is not None:
            return known
        release_hold(hold=call.hold.public_id)
        return _write_event(
            call=call,
            tokens=NO_TOKENS,
            charge=nothing,
            entry_id=None,
            basis=Basis.NOTHING,
            status=UsageStatus.FAILED,
            failure=failure,
        )


def _hold(
    *,
    customer_id: int,
    amount: Decimal,
    worst_case: Decimal | None,
    event_id: str,
    api_key: ApiKey | None,
    description: str,
) -> CreditHold:
    hold = place_hold(
        customer_id=customer_id,
        amount=amount,
        worst_case=worst_case,
        key=f"{CALLER_KEY_PREFIX}usage:{event_id}",
        placed_by=placed_by_key(api_key) if api_key else "system",
        description=description,
    )
    if hold.state != HoldState.OPEN:
        raise HoldEnded(hold=hold.public_id, state=hold.state, ended_at=hold.ended_at)
    return hold


def _charge(*, call: OpenCall, tokens: Tokens) -> Charge:
    if call.price is not None:
        return charge_for_tokens(version=call.price, tokens=tokens)
    if call.operation_price is not None:
        return charge_for_operation(version=call.operation_price, quantity=call.quantity)
    raise RuntimeError(f"The call {call.event_id} has no price.")


def _find_event(call: OpenCall) -> UsageEvent | None:
    return UsageEvent.objects.filter(customer_id=call.customer_id, event_id=call.event_id).first()


def _write_event(
    *,
    call: OpenCall,
    tokens: Tokens,
    charge: Charge,
    entry_id: int | None,
    basis: Basis,
    status: UsageStatus,
    failure: str,
) -> UsageEvent:
    return UsageEvent.objects.create(
        customer_id=call.customer_id,
        event_id=call.event_id,
        request_hash=hash_usage(
            model=call.model,
            operation=call.operation,
            quantity=call.quantity,
            tokens=tokens,
            occurred_at=call.opened_at,
        ),
        api_key=call.api_key,
        model=call.model,
        operation=call.operation,
        quantity=call.quantity,
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        output_tokens=tokens.output,
        price=call.price,
        operation_price=call.operation_price,
        cost_usd=charge.cost_usd,
        markup_percent=charge.markup_percent,
        estimated_credits=call.estimated_credits,
        held_credits=call.hold.amount,
        credits=charge.credits,
        hold=call.hold,
        entry_id=entry_id,
        basis=basis,
        status=status,
        failure=failure[:200],
        is_default_price=call.is_default_price,
        latency_ms=int((time.monotonic() - call.started) * 1000),
        metadata=dict(call.metadata),
        occurred_at=call.opened_at,
        created_at=timezone.now(),
    )
