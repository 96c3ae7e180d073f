"""The header that names an intent, so that the same request twice acts once.

An answer is stored in the database transaction of its effect, so there is no moment in which one exists without the
other. Only 2xx and 422 answers are kept: after 402, 409, 429 or 5xx nothing was done, and the same key may try again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.callers import HEADER as CUSTOMER_HEADER
from billing.api.callers import placed_by
from billing.errors import (
    BillingError,
    IdempotencyConflict,
    IdempotencyKeyRequired,
    InvalidRequest,
    RequestInFlight,
)
from billing.views.refusals import STATUSES, problem

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
MAX_LENGTH: Final = 255
_KEPT_REFUSAL: Final = 422
_PROBLEM: Final = "application/problem+json"
_LOCK_AND_FIND: Final = """
    SELECT {}(hashtextextended(%s, 0)), known.request_hash, known.status, known.body
    FROM (VALUES (1)) AS asked LEFT JOIN billing_idempotentanswer known ON known.scope = %s AND known.key = %s
"""
_KEEP: Final = """
    INSERT INTO billing_idempotentanswer (scope, key, request_hash, status, body, created_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint's effect gives: a status below 300, and the body."""

    status: int
    body: dict[str, Any]
    is_replay: bool = False  # the ledger knew the intent already, though its answer is no longer kept


class _Found(NamedTuple):
    """What is stored for a key; without a hash there is nothing yet."""

    request_hash: str | None
    status: int
    body: str


class _RefusalToKeep(Exception):
    """A refusal that is given again to whoever asks again. It ends the database transaction of the effect first."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__()


def read_idempotency_key(request: Request) -> str:
    """The caller's name for this intent.

    Raises:
        IdempotencyKeyRequired: there is none.
        InvalidRequest: it is too long, or not of visible ASCII characters.
    """
    key = request.headers.get(HEADER, "").strip()
    if not key:
        raise IdempotencyKeyRequired
    if len(key) > MAX_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            field=HEADER, fault="it cannot be used", remedy=f"Send 1 to {MAX_LENGTH} visible ASCII characters."
        )
    return key


def answer_once(
    request: Request, *, scope: str, act: Callable[[], Answer], is_required: bool = True, is_atomic: bool = True
) -> Response:
    """Do `act` once for the request's idempotency key, and give its first answer to whoever asks again.

    `scope` is whose keys these are, such as `customer:12`. Without a key the effect is just done, where that is
    allowed. With `is_atomic` the effect runs inside the database transaction that stores the answer; one that calls
    other services cannot, and must itself be safe to repeat with the same key.

    Raises:
        IdempotencyKeyRequired, InvalidRequest: the key is missing or cannot be used.
        RequestInFlight: the same key is being worked on by another request.
        IdempotencyConflict: the key belongs to another request.
        BillingError: what `act` raises; nothing was done.
    """
    if not is_required and HEADER not in request.headers:
        return _response(act())
    key = read_idempotency_key(request)
    digest = _hash_request(request)
    if not is_atomic:
        return _answer_in_steps(scope=scope, key=key, digest=digest, act=act)
    try:
        with transaction.atomic():
            return _answer(scope=scope, key=key, digest=digest, act=act)
    except _RefusalToKeep as refusal:
        answer = refusal.answer
        with transaction.atomic():
            return _answer(scope=scope, key=key, digest=digest, act=lambda: answer)


def replay_header(*, is_replay: bool) -> dict[str, str]:
    """What tells a caller that this answer was given before."""
    return {REPLAYED: "true"} if is_replay else {}


def _answer(*, scope: str, key: str, digest: str, act: Callable[[], Answer]) -> Response:
    found = _lock_and_find("pg_try_advisory_xact_lock", scope=scope, key=key)
    if (known := _replay(found, key=key, digest=digest)) is not None:
        return known
    try:
        answer = act()
    except BillingError as refusal:
        if STATUSES.get(refusal.code) != _KEPT_REFUSAL:
            raise
        raise _RefusalToKeep(Answer(_KEPT_REFUSAL, problem(refusal))) from refusal
    return _keep(scope=scope, key=key, digest=digest, answer=answer)


def _answer_in_steps(*, scope: str, key: str, digest: str, act: Callable[[], Answer]) -> Response:
    """The lock is the connection's: no database transaction may be open while others are called."""
    found = _lock_and_find("pg_try_advisory_lock", scope=scope, key=key)
    try:
        return _replay(found, key=key, digest=digest) or _keep(scope=scope, key=key, digest=digest, answer=act())
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_UNLOCK, [_lock_name(scope=scope, key=key)])


def _lock_and_find(function: str, *, scope: str, key: str) -> _Found:
    """Whoever comes first has the lock until the answer is stored; others are sent away or get the stored answer.

    One statement does both, so it may overlook an answer that was stored while it ran: then storing a second one fails.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_AND_FIND.format(function), [_lock_name(scope=scope, key=key), scope, key])
        is_mine, *found = cursor.fetchone()
    if not is_mine:
        raise RequestInFlight(key=key)
    return _Found(*found)


def _replay(found: _Found, *, key: str, digest: str) -> Response | None:
    if found.request_hash is None:
        return None
    if found.request_hash != digest:
        raise IdempotencyConflict(key=key)
    return _response(Answer(found.status, json.loads(found.body), is_replay=True))


def _keep(*, scope: str, key: str, digest: str, answer: Answer) -> Response:
    body = json.dumps(answer.body, default=str)
    try:
        with connection.cursor() as cursor:  # the ORM takes longer to compile this than PostgreSQL to do it
            cursor.execute(_KEEP, [scope, key, digest, answer.status, body, timezone.now()])
    except IntegrityError:
        raise RequestInFlight(key=key) from None
    return _response(answer)


def _response(answer: Answer) -> Response:
    content_type = _PROBLEM if answer.status == _KEPT_REFUSAL else None
    headers = replay_header(is_replay=answer.is_replay)
    return Response(answer.body, status=answer.status, headers=headers, content_type=content_type)


def _lock_name(*, scope: str, key: str) -> str:
    return f"answer:{scope}:{key}"


def _hash_request(request: Request) -> str:
    """What makes a second request the same one: the address, who acts for whom, and the body by value."""
    body = json.dumps(request.data, sort_keys=True, default=str, separators=(",", ":"))
    parts = (request.method, request.path, request.headers.get(CUSTOMER_HEADER, ""), placed_by(request), body)
    return sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
