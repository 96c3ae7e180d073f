"""Bodies of usage's requests that are one thing or another, which no serializer can say."""

from __future__ import annotations

from typing import Any, Final

from usage.api.quotes import MAX_ANSWERS
from usage.api.usage_events import MAX_EVENTS
from usage.services.calls import MAX_QUANTITY
from usage.services.metadata import MAX_NAME_LENGTH, MAX_NOTES, MAX_TEXT_LENGTH
from usage.services.recording_reading import MAX_ID_LENGTH, MAX_MODEL_LENGTH, MAX_OPERATION_LENGTH
from usage.services.reported_usage import MAX_TOKENS

Schema = dict[str, Any]
_MODEL: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_MODEL_LENGTH,
    "description": "A model that has a price.",
}
_OPERATION: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_OPERATION_LENGTH,
    "description": "An operation of a fixed price.",
}


def _whole(least: int, most: int, description: str, *, or_null: bool = False) -> Schema:
    kinds: Any = ["integer", "null"] if or_null else "integer"
    return {"type": kinds, "minimum": least, "maximum": most, "description": description}


def _closed(required: list[str], description: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


_OF_A_CALL: Final[Schema] = {
    "model": _MODEL,
    "max_tokens": _whole(1, MAX_TOKENS, "The most that the answer may have."),
    "answers": _whole(1, MAX_ANSWERS, "How many answers: OpenAI's `n`."),
}
QUOTE: Final[Schema] = {
    "oneOf": [
        _closed(
            ["model", "input_tokens"],
            "A call, by its tokens.",
            input_tokens=_whole(0, MAX_TOKENS, "Cached ones included."),
            **_OF_A_CALL,
        ),
        _closed(
            ["model", "messages"],
            "A call, by its messages.",
            messages={
                "type": "array",
                "items": {"type": ["object", "string"]},
                "minItems": 1,
                "maxItems": 10_000,
                "description": "As they would be sent to the model.",
            },
            **_OF_A_CALL,
        ),
        _closed(
            ["operation"],
            "An operation.",
            operation=_OPERATION,
            quantity=_whole(1, MAX_QUANTITY, "How many times."),
        ),
    ]
}

_OF_AN_EVENT: Final[Schema] = {
    "id": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_ID_LENGTH,
        "description": "Your name for this work: told again it is a duplicate, for ever.",
    },
    "occurred_at": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it happened, with its zone. Left out, now.",
    },
    "metadata": {
        "type": ["object", "null"],
        "maxProperties": MAX_NOTES,
        "propertyNames": {"minLength": 1, "maxLength": MAX_NAME_LENGTH},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_TEXT_LENGTH},
        "description": "What you note beside it.",
    },
}
EVENTS: Final[Schema] = _closed(
    ["events"],
    "A batch.",
    events={
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_EVENTS,
        "items": {
            "oneOf": [
                _closed(
                    ["id", "model", "input_tokens", "output_tokens"],
                    "A call of a model.",
                    model=_MODEL,
                    input_tokens=_whole(0, MAX_TOKENS, "Cached ones included."),
                    cached_tokens=_whole(0, MAX_TOKENS, "A part of `input_tokens`.", or_null=True),
                    output_tokens=_whole(0, MAX_TOKENS, "What was answered."),
                    **_OF_AN_EVENT,
                ),
                _closed(
                    ["id", "operation"],
                    "An operation.",
                    operation=_OPERATION,
                    quantity=_whole(1, MAX_QUANTITY, "How many times. Left out, once.", or_null=True),
                    **_OF_AN_EVENT,
                ),
            ]
        },
    },
    record_only={"type": "boolean", "default": False, "description": "The work is done, whatever the balance says."},
)

SUMMARY: Final[Schema] = {
    "oneOf": [
        _closed(["diff"], "A diff.", diff={"type": "string", "minLength": 1, "description": "Unified, up to 200 kB."}),
        _closed(
            ["repository", "commit"],
            "A commit.",
            repository={
                "type": "string",
                "minLength": 1,
                "maxLength": 500,
                "description": "One of the repositories that are summarised here, as it is listed.",
            },
            commit={"type": "string", "pattern": "^[0-9a-fA-F]{40}$", "description": "Its full name."},
        ),
    ]
}
