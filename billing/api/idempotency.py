"""The header that names an intent, so that the same request twice acts once."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request

from billing.errors import IdempotencyKeyRequired, InvalidRequest

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
MAX_LENGTH: Final = 255


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


def replay_header(*, is_replay: bool) -> dict[str, str]:
    """What tells a caller that this answer was given before."""
    return {REPLAYED: "true"} if is_replay else {}
