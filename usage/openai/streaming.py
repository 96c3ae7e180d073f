"""Completions as streams: each piece goes on as it comes, and the call is charged when the stream has ended.

A stream ends by itself, by its provider, or by its client; each time `AnswerStream.close` is called in the end, by
the server if by nobody else. While it lasts no database connection is held.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any, Final

import structlog
from django.db import connection
from django.http import StreamingHttpResponse

from usage.llm.client import open_stream
from usage.llm.failures import UpstreamDown, UpstreamFailure
from usage.llm.providers import find_provider
from usage.llm.sse import DONE, write_event
from usage.openai.errors import BROKEN_OFF, error_body
from usage.openai.reading import ChatRequest
from usage.openai.receipts import FIELD, held_headers, receipt_of
from usage.openai.serving import giving_up, provider_of
from usage.openai.texts import texts_of
from usage.services.served_calls import ServedCall

CLIENT_GONE: Final = "client_gone"
log = structlog.get_logger(__name__)


def answer_stream(*, served: ServedCall, chat: ChatRequest, path: str) -> StreamingHttpResponse:
    """The provider's stream, once it has begun.

    Raises:
        UpstreamFailure: it did not begin; nothing is charged.
    """
    body = {**chat.body, "stream_options": {**(chat.body.get("stream_options") or {}), "include_usage": True}}
    upstream = ExitStack()
    with giving_up(served):
        provider = find_provider(provider_of(served.call))
        events = upstream.enter_context(open_stream(provider=provider, path=path, body=body))
    _let_go_of_database()
    stream = AnswerStream(served=served, upstream=upstream, events=events, wants_usage=chat.wants_usage)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **held_headers(served.call)}
    return StreamingHttpResponse(stream, content_type="text/event-stream", headers=headers)


class AnswerStream:
    """The events for the client. Closing it ends the provider's stream and charges the call, whatever happened."""

    def __init__(self, *, served: ServedCall, upstream: ExitStack, events: Iterator[str], wants_usage: bool) -> None:
        self._served, self._upstream, self._events, self._wants_usage = served, upstream, events, wants_usage
        self._last: str | None = None  # held back, because the cost goes into it
        self._is_done = False
        self._pieces = self._write()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """End what has not ended: the client went away, perhaps before the first piece."""
        try:
            self._pieces.close()
            self._upstream.close()
        finally:
            self._settle(failure="" if self._is_done else CLIENT_GONE)

    def _write(self) -> Generator[bytes, None, None]:
        """All events: the provider's, the cost in the last one, and what went wrong if something did."""
        failure = None
        try:
            yield from self._pass_on()
        except UpstreamFailure as broken:
            failure = broken
        self._upstream.close()
        self._count(self._last)
        receipt = self._settle(failure=failure.reason if failure else "")
        if self._last is not None:
            yield write_event(_with_receipt(self._last, receipt))
        if failure is None:
            yield write_event(DONE)
            return
        error = error_body(status=502, code="upstream_" + failure.reason, message=BROKEN_OFF)
        yield write_event(json.dumps({**error, FIELD: receipt} if receipt else error))

    def _pass_on(self) -> Iterator[bytes]:
        for text in self._events:
            if text == DONE:
                self._is_done = True
                return
            piece = _read_piece(text)
            if piece is None:
                yield write_event(text)
                continue
            self._served.report(piece.get("usage"))
            if not self._is_for_client(piece):
                continue
            if (before := self._last) is not None:
                self._last = None
                yield write_event(before)
                self._count(before)
            if _may_be_the_last(piece):
                self._last = text
                continue
            yield write_event(text)
            self._count(text)  # only now: what the client did not take is not delivered
        if self._last is None:
            raise UpstreamDown("broken_off", "The stream ended before its answer did.")
        self._is_done = True

    def _count(self, text: str | None) -> None:
        """Note what a piece says as delivered."""
        for said in texts_of(_read_piece(text or "") or {}, "delta"):
            self._served.deliver(said)

    def _is_for_client(self, piece: dict[str, Any]) -> bool:
        """The piece that tells nothing but usage is for who asked for it; others trip over its empty choices."""
        return self._wants_usage or piece.get("choices") != [] or not piece.get("usage")

    def _settle(self, *, failure: str) -> dict[str, Any] | None:
        """Charge the call and give the receipt; None where that failed: then the hold stays until it expires."""
        try:
            return receipt_of(self._served, self._served.end(failure=failure))
        except Exception as error:  # the answer is given, whatever our database says
            call = self._served.call
            log.exception("stream_not_settled", hold=call.hold.public_id, error=type(error).__name__)
            return None
        finally:
            _let_go_of_database()


def _read_piece(text: str) -> dict[str, Any] | None:
    try:
        piece = json.loads(text)
    except ValueError:
        return None
    return piece if isinstance(piece, dict) else None


def _may_be_the_last(piece: dict[str, Any]) -> bool:
    """Whether a piece ends an answer, or tells the usage of all."""
    choices = piece.get("choices")
    if not isinstance(choices, list):
        return False
    ends = any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)
    return ends or (not choices and bool(piece.get("usage")))


def _with_receipt(text: str, receipt: dict[str, Any] | None) -> str:
    """The piece with its cost; everything but that as the provider wrote it."""
    return text if receipt is None else json.dumps({**json.loads(text), FIELD: receipt})


def _let_go_of_database() -> None:
    """Close the thread's connection: a stream may last minutes, and PostgreSQL has not one for each of them."""
    if not connection.in_atomic_block:
        connection.close()
