"""Usage as JSON: credits as decimal strings, times in ISO 8601 and UTC, public ids only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.api.shapes import entry_name, time_shape
from billing.kinds import CALLER_KEY_PREFIX
from billing.models import BillingCustomer
from billing.money import CREDIT_STEP
from billing.views.refusals import problem
from usage.models import UsageEvent
from usage.services.call_events import FAILED_PREFIX
from usage.services.recording import EventStatus, RecordedEvent


def usage_event_shape(event: UsageEvent, *, customer: BillingCustomer) -> dict[str, Any]:
    """A usage event; what was never estimated or held for is null, and so is the entry of one that cost nothing."""
    return {
        "id": event.public_id,
        "object": "usage_event",
        "customer": customer.public_id,
        "event_id": _name(event),
        "api_key": event.api_key.key_id if event.api_key else None,
        "model": event.model or None,
        "operation": event.operation or None,
        "quantity": event.quantity,
        "input_tokens": event.input_tokens,
        "cached_tokens": event.cached_tokens,
        "output_tokens": event.output_tokens,
        "estimate": _credits(event.estimated_credits),
        "held": _credits(event.held_credits),
        "credits": _credits(event.credits),
        "basis": event.basis,
        "status": event.status,
        "failure": event.failure or None,
        "price": _price_shape(event),
        "hold": event.hold.public_id if event.hold else None,
        "entry": entry_name(customer=customer, sequence=event.entry.sequence) if event.entry else None,
        "latency_ms": event.latency_ms,
        "metadata": event.metadata,
        "occurred_at": time_shape(event.occurred_at),
        "created_at": time_shape(event.created_at),
    }


def recorded_shape(recorded: RecordedEvent, *, customer: BillingCustomer) -> dict[str, Any]:
    """The answer to one event of a batch. `id` is the caller's; a refusal says what to change."""
    shape: dict[str, Any] = {"id": recorded.event_id, "status": recorded.status.value}
    if recorded.refusal is not None:
        document = problem(recorded.refusal)
        told = {name: document[name] for name in ("available", "required") if name in document}
        field = getattr(recorded.refusal, "field", None)
        return shape | {"code": document["code"], "field": field, "detail": document["detail"]} | told
    sequence = recorded.entry_sequence
    return shape | {
        "usage_event": recorded.public_id,
        "credits": _credits(recorded.credits),
        "entry": None if sequence is None else entry_name(customer=customer, sequence=sequence),
    }


def batch_shape(recorded: list[RecordedEvent], *, customer: BillingCustomer) -> dict[str, Any]:
    """The answer to a batch: how many events ended how, what was charged now, and each event in the order given."""
    counts = dict.fromkeys(EventStatus, 0)
    for one in recorded:
        counts[one.status] += 1
    charged = sum((one.credits for one in recorded if one.status is EventStatus.POSTED), Decimal(0))
    return {
        "object": "usage_event_batch",
        "customer": customer.public_id,
        "posted": counts[EventStatus.POSTED],
        "duplicates": counts[EventStatus.DUPLICATE],
        "refused": counts[EventStatus.REFUSED],
        "credits": _credits(charged),
        "events": [recorded_shape(one, customer=customer) for one in recorded],
    }


def _name(event: UsageEvent) -> str:
    """The caller's name for the work; attempts that failed share it."""
    name = event.event_id.removeprefix(CALLER_KEY_PREFIX)
    return name.removeprefix(f"{FAILED_PREFIX}{event.hold.public_id}:") if event.hold else name


def _price_shape(event: UsageEvent) -> dict[str, Any] | None:
    """The version that the charge rests on; of a model without a price of its own it is the default model's."""
    if event.price is not None:
        return {"name": event.price.model, "effective_from": time_shape(event.price.effective_from)}
    if event.operation_price is not None:
        moment = event.operation_price.effective_from
        return {"name": event.operation_price.operation, "effective_from": time_shape(moment)}
    return None


def _credits(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount.quantize(CREDIT_STEP))
