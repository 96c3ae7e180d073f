"""The header that names an intent, so that the same request twice acts once.

An answer is stored in the database transaction of its effect, so there is no moment in which one exists without the
other. Only 2xx and 422 answers are kept: after 402, 409, 429 or 5xx nothing was done, and the same key may try again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from django.db import connection, transaction
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
from billing.models import IdempotentAnswer
from billing.views.refusals import STATUSES, problem

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
MAX_LENGTH: Final = 255
_KEPT_REFUSAL: Final = 422
_PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint's effect gives: a status below 300, and the body."""

    status: int
    body: dict[str, Any]


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
    if not is_required and not request.headers.get(HEADER):
        answer = act()
        return Response(answer.body, status=answer.status)
    key = read_idempotency_key(request)
    digest = _hash_request(request)
    if is_atomic:
        with transaction.atomic():
            return _answer(scope=scope, key=key, digest=digest, act=act)
    return _answer_in_steps(scope=scope, key=key, digest=digest, act=act)


def replay_header(*, is_replay: bool) -> dict[str, str]:
    """What tells a caller that this answer was given before."""
    return {REPLAYED: "true"} if is_replay else {}


def _answer(*, scope: str, key: str, digest: str, act: Callable[[], Answer]) -> Response:
    if not _try_lock("pg_try_advisory_xact_lock", scope=scope, key=key):
        raise RequestInFlight(key=key)
    if (known := _find(scope=scope, key=key, digest=digest)) is not None:
        return known
    try:
        with transaction.atomic():
            answer = act()
    except BillingError as refusal:
        if STATUSES.get(refusal.code) != _KEPT_REFUSAL:
            raise
        answer = Answer(_KEPT_REFUSAL, problem(refusal))
    return _keep(scope=scope, key=key, digest=digest, answer=answer)


def _answer_in_steps(*, scope: str, key: str, digest: str, act: Callable[[], Answer]) -> Response:
    """The lock is the connection's: no database transaction may be open while others are called."""
    if not _try_lock("pg_try_advisory_lock", scope=scope, key=key):
        raise RequestInFlight(key=key)
    try:
        if (known := _find(scope=scope, key=key, digest=digest)) is not None:
            return known
        return _keep(scope=scope, key=key, digest=digest, answer=act())
    finally:
        _try_lock("pg_advisory_unlock", scope=scope, key=key)


def _find(*, scope: str, key: str, digest: str) -> Response | None:
    known = IdempotentAnswer.objects.filter(scope=scope, key=key).first()
    if known is None:
        return None
    if known.request_hash != digest:
        raise IdempotencyConflict(key=key)
    return _response(Answer(known.status, json.loads(known.body)), headers=replay_header(is_replay=True))


def _keep(*, scope: str, key: str, digest: str, answer: Answer) -> Response:
    response = _response(answer)
    IdempotentAnswer.objects.create(
        scope=scope, key=key, request_hash=digest, status=answer.status, body=json.dumps(answer.body, default=str)
    )
    return response


def _response(answer: Answer, headers: dict[str, str] | None = None) -> Response:
    content_type = _PROBLEM if answer.status == _KEPT_REFUSAL else None
    return Response(answer.body, status=answer.status, headers=headers, content_type=content_type)


def _try_lock(function: str, *, scope: str, key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [f"answer:{scope}:{key}"])
        (is_mine,) = cursor.fetchone()
    return bool(is_mine)


def _hash_request(request: Request) -> str:
    """What makes a second request the same one: the address, who acts for whom, and the body by value."""
    body = json.dumps(request.data, sort_keys=True, default=str, separators=(",", ":"))
    parts = (request.method, request.path, request.headers.get(CUSTOMER_HEADER, ""), placed_by(request), body)
    return sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
