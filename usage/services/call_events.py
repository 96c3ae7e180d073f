"""What is written down of a metered call when it has ended."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils import timezone

from accounts.models import ApiKey
from billing.models import CreditHold, OperationPrice, PricingConfig
from billing.models.rows import Rows
from billing.usage_cost import Charge, Tokens
from usage.models import Basis, UsageEvent, UsageStatus
from usage.services.metadata import is_storable, make_storable
from usage.services.request_hash import hash_usage

FAILED_PREFIX: Final = "failed:"
_MAX_FAILURE_LENGTH: Final = 200
_EVENTS: Final = Rows(UsageEvent)


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

    @property
    def failed_event_id(self) -> str:
        """The name of a failed attempt: what was not charged leaves its own name free for another attempt.

        No call can be named so: it would find the failure, and be as free.
        """
        return f"{FAILED_PREFIX}{self.hold.public_id}:{self.event_id}"


def find_event(*, customer_id: int, event_id: str) -> UsageEvent | None:
    """What was written down under a name."""
    if not is_storable(event_id):
        return None
    return UsageEvent.objects.filter(customer_id=customer_id, event_id=event_id).first()


def write_call_event(
    *,
    call: OpenCall,
    tokens: Tokens,
    charge: Charge,
    entry_id: int | None,
    basis: Basis,
    status: UsageStatus,
    failure: str,
) -> UsageEvent:
    """Write a call down, once: inside the database transaction that ends its hold.

    Raises:
        IntegrityError: there is an event of this name.
    """
    event = UsageEvent(
        customer_id=call.customer_id,
        event_id=call.failed_event_id if status is UsageStatus.FAILED else call.event_id,
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
        failure=make_storable(failure[:_MAX_FAILURE_LENGTH]),
        is_default_price=call.is_default_price,
        latency_ms=int((time.monotonic() - call.started) * 1000),
        metadata=dict(call.metadata),
        occurred_at=call.opened_at,
        created_at=timezone.now(),
    )
    _EVENTS.insert(event)
    return event
