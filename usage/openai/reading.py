"""What we read of a request; all of it goes to the provider as it came, within the plan (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from billing.errors import InvalidRequest

MAX_ANSWERS: Final = 128
MAX_TOKENS: Final = 10_000_000
MAX_MODEL_LENGTH: Final = 120
_EXTRAS: Final = ("tools", "functions", "response_format", "prediction")  # providers count these as well


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request for chat completions. `body` is all of it; `extras` is what its input has beside the messages."""

    model: str
    messages: list[Any]
    extras: list[Any]
    max_tokens: int | None
    answers: int
    is_stream: bool
    wants_usage: bool
    body: dict[str, Any]


def read_chat(sent: Any) -> ChatRequest:
    """The request, where it has what an estimate needs.

    Raises:
        InvalidRequest: it names the field.
    """
    body = read_object(sent)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise InvalidRequest(
            field="messages", fault="it is no list of messages", remedy='Send [{"role": "user", "content": "…"}].'
        )
    newer = read_count(body, "max_completion_tokens", most=MAX_TOKENS)
    older = read_count(body, "max_tokens", most=MAX_TOKENS)
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise InvalidRequest(
            field="stream_options", fault="it is no object", remedy='Send {"include_usage": true}, or leave it out.'
        )
    return ChatRequest(
        model=read_model(body),
        messages=messages,
        extras=[body[name] for name in _EXTRAS if body.get(name)],
        max_tokens=max(older or 0, newer or 0) or None,  # which of the two a provider obeys is not known
        answers=read_count(body, "n", most=MAX_ANSWERS) or 1,
        is_stream=read_flag(body, "stream"),
        wants_usage=bool((options or {}).get("include_usage")),
        body=body,
    )


def keep_within_plan(chat: ChatRequest, *, room: int | None) -> ChatRequest:
    """The request, whose answers end where the plan does: an answer that nobody bounds may be of any length.

    By the newer of the two fields, which models that think take alone. None: there is nothing to bound.
    """
    return chat if room is None else replace(chat, body={**chat.body, "max_completion_tokens": room})


def read_object(sent: Any) -> dict[str, Any]:
    """The body as a JSON object."""
    if not isinstance(sent, dict):
        raise InvalidRequest(field="body", fault="it is no JSON object", remedy="Send the request's fields.")
    return sent


def read_model(body: dict[str, Any]) -> str:
    """The model's name. One with a NUL in it cannot be any, and PostgreSQL could not even look for it."""
    model = body.get("model")
    if not isinstance(model, str) or not 1 <= len(model) <= MAX_MODEL_LENGTH or not model.isprintable():
        raise InvalidRequest(
            field="model", fault="it is no name of a model", remedy="GET /v1/models has all that there are."
        )
    return model


def read_count(body: dict[str, Any], name: str, *, most: int) -> int | None:
    """A whole number from 1; None where it was not sent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidRequest(field=name, fault="it is no number that can be used", remedy=f"Send 1 to {most}.")
    return value


def read_flag(body: dict[str, Any], name: str) -> bool:
    """True or false; false where it was not sent."""
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidRequest(field=name, fault="it is neither true nor false", remedy="Send true or false.")
    return value
