"""Answers kept under the caller's idempotency key, so that a repeated request acts once."""

import hashlib
import json
from dataclasses import dataclass

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource

LONGEST_KEY = 255


@dataclass(frozen=True)
class KeptAnswer:
    """An answer given before."""

    status: int
    body: Resource
    request_id: str


def fingerprint_request(*, method: str, path: str, form: Resource) -> str:
    """What must be the same when a key is used again."""
    text = json.dumps([method, path, form], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find_kept_answer(sandbox: Sandbox, *, key: str, fingerprint: str) -> KeptAnswer | None:
    """The answer kept under a key, or None.

    Raises:
        ApiError: the key belongs to a request with other parameters.
    """
    kept = sandbox.store.get(_id_of(key))
    if kept is None:
        return None
    if kept["fingerprint"] != fingerprint:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return KeptAnswer(kept["status"], kept["body"], kept["request_id"])


def keep_answer(sandbox: Sandbox, *, key: str, fingerprint: str, answer: KeptAnswer) -> None:
    """Keep an answer under its key, in the same step as what the request did."""
    sandbox.store.put(
        {
            "id": _id_of(key),
            "object": "sandbox.idempotency_key",
            "fingerprint": fingerprint,
            "status": answer.status,
            "body": answer.body,
            "request_id": answer.request_id,
        }
    )


def refuse_in_flight(key: str) -> ApiError:
    """The refusal of a key whose first request has not been answered yet."""
    message = (
        "There is currently another in-progress request using this Idempotent Key "
        f"(that probably means you submitted twice, and the other request is still going through): {key}."
    )
    return ApiError(message, status=409, kind="idempotency_error", code="idempotency_key_in_use")


def _id_of(key: str) -> str:
    return f"sandbox_idempotency_{key}"
