"""One event of work that was done elsewhere, as its product sends it: read strictly, field by field (pure).

Written by hand because a batch has a thousand of them: a serializer of a framework takes longer than everything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from billing.errors import BillingError, InvalidRequest
from billing.usage_cost import Tokens
from usage.services.metadata import check_metadata, is_storable, make_storable
from usage.services.reported_usage import MAX_TOKENS
from usage.services.request_hash import hash_usage

MAX_ID_LENGTH: Final = 200
MAX_MODEL_LENGTH: Final = 120
MAX_OPERATION_LENGTH: Final = 80
MAX_QUANTITY: Final = 1_000_000
CLOCK_SKEW: Final = timedelta(minutes=5)
_MAX_TIME_LENGTH: Final = 40
_TOKEN_FIELDS: Final = ("input_tokens", "cached_tokens", "output_tokens")
_FIELDS: Final = frozenset(("id", "model", "operation", "quantity", "occurred_at", "metadata", *_TOKEN_FIELDS))


class EventTooOld(BillingError):
    """The event happened before the time for which events are still taken."""

    code = "event_too_old"
    field = "occurred_at"

    def __init__(self, *, oldest: datetime) -> None:
        super().__init__(f"occurred_at: events are taken back to {oldest:%Y-%m-%d %H:%M:%S} UTC. Ask staff for others.")


class EventInFuture(BillingError):
    """The event has not happened yet."""

    code = "event_in_future"
    field = "occurred_at"

    def __init__(self) -> None:
        minutes = CLOCK_SKEW // timedelta(minutes=1)
        super().__init__(f"occurred_at: it is more than {minutes} minutes ahead of us. Check the sender's clock.")


@dataclass(frozen=True, slots=True)
class WorkDone:
    """A piece of work as its product tells of it. `id` is the product's name for it."""

    id: str
    model: str
    operation: str
    quantity: int
    tokens: Tokens
    occurred_at: datetime
    metadata: Mapping[str, Any]
    request_hash: str


def read_event(raw: object, *, now: datetime, window: timedelta) -> WorkDone:
    """The event that was meant. One without a time happened now; null is as good as left out.

    Raises:
        InvalidRequest: with the field, its fault and what to send.
        EventTooOld, EventInFuture: it is not within `window` before now.
    """
    if not isinstance(raw, dict):
        raise InvalidRequest(field="event", fault="it is not an object", remedy="Send one with an id and a model.")
    if not raw.keys() <= _FIELDS:
        field = make_storable(min(str(name) for name in raw.keys() - _FIELDS)[:80])
        raise InvalidRequest(field=field, fault="there is no such field", remedy=f"Send {', '.join(sorted(_FIELDS))}.")
    event_id = _read_text(raw, "id", MAX_ID_LENGTH)
    if not event_id:
        raise InvalidRequest(field="id", fault="it is missing", remedy="Send a name that you give no other event.")
    model, operation = _read_text(raw, "model", MAX_MODEL_LENGTH), _read_text(raw, "operation", MAX_OPERATION_LENGTH)
    if bool(model) == bool(operation):
        fault = "there is an operation as well" if model else "there is neither a model nor an operation"
        raise InvalidRequest(field="model", fault=fault, remedy="Send one of the two.")
    tokens, quantity = _read_tokens(raw, is_model=bool(model)), _read_quantity(raw, is_model=bool(model))
    told_at = _read_time(raw, now=now, window=window)
    metadata = raw.get("metadata")
    return WorkDone(
        id=event_id,
        model=model,
        operation=operation,
        quantity=quantity,
        tokens=tokens,
        occurred_at=told_at or now,
        metadata={} if metadata is None else check_metadata(metadata),
        request_hash=hash_usage(
            model=model, operation=operation, quantity=quantity, tokens=tokens, occurred_at=told_at
        ),
    )


def _read_text(raw: Mapping[str, Any], field: str, limit: int) -> str:
    value = raw.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or not 1 <= len(value) <= limit or not is_storable(value):
        raise InvalidRequest(
            field=field, fault="it is no text that can be stored", remedy=f"Send 1 to {limit} characters."
        )
    return value


def _read_tokens(raw: Mapping[str, Any], *, is_model: bool) -> Tokens:
    if not is_model:
        for field in _TOKEN_FIELDS:
            if raw.get(field) is not None:
                raise InvalidRequest(field=field, fault="an operation has no tokens", remedy="Leave it out.")
        return Tokens()
    input_tokens = _read_count(raw, "input_tokens", least=0, most=MAX_TOKENS)
    cached = _read_count(raw, "cached_tokens", least=0, most=MAX_TOKENS)
    output = _read_count(raw, "output_tokens", least=0, most=MAX_TOKENS)
    if input_tokens is None and output is None:
        raise InvalidRequest(
            field="input_tokens", fault="it is missing, and so is output_tokens", remedy="Send both, zero where none."
        )
    if (cached or 0) > (input_tokens or 0):
        raise InvalidRequest(
            field="cached_tokens", fault="it is more than input_tokens", remedy="Cached tokens are a part of the input."
        )
    return Tokens(input=input_tokens or 0, cached=cached or 0, output=output or 0)


def _read_quantity(raw: Mapping[str, Any], *, is_model: bool) -> int:
    quantity = _read_count(raw, "quantity", least=1, most=MAX_QUANTITY)
    if quantity is not None and is_model:
        raise InvalidRequest(field="quantity", fault="it is for operations", remedy="Leave it out for a model.")
    return 1 if quantity is None else quantity


def _read_count(raw: Mapping[str, Any], field: str, *, least: int, most: int) -> int | None:
    value = raw.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidRequest(
            field=field, fault="it is not a whole number in bounds", remedy=f"Send {least} to {most} without quotes."
        )
    return value


def _read_time(raw: Mapping[str, Any], *, now: datetime, window: timedelta) -> datetime | None:
    value = raw.get("occurred_at")
    if value is None:
        return None
    moment = _parse_time(value)
    if moment is None:
        raise InvalidRequest(
            field="occurred_at",
            fault="it is not a time with its zone",
            remedy="Send ISO 8601, such as 2026-01-31T12:00:00Z.",
        )
    if moment < now - window:
        raise EventTooOld(oldest=now - window)
    if moment > now + CLOCK_SKEW:
        raise EventInFuture
    return moment


def _parse_time(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > _MAX_TIME_LENGTH:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
