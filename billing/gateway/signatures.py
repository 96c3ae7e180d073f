"""Proves that a webhook delivery is Stripe's, and recent."""

import json
import time
from collections.abc import Sequence

import stripe

from billing.errors import WebhookRefused
from billing.gateway.facts import EventEnvelope
from billing.gateway.parsing import parse_event

TOLERANCE_SECONDS = 300


def verify_webhook(
    *, body: bytes, header: str, secrets: Sequence[str], tolerance_seconds: int = TOLERANCE_SECONDS
) -> EventEnvelope:
    """The event in a delivery whose signature fits one of the secrets and whose time is near, in the past or future.

    https://docs.stripe.com/webhooks#verify-manually (2026-10-28.endive). The SDK refuses old timestamps only; a future
    one would make a captured delivery good for as long as its forger likes.

    Raises:
        WebhookRefused: wrong encoding, signature or time, or a body that is no event.
    """
    if tolerance_seconds <= 0:
        raise ValueError("A tolerance of zero would switch the check of the time off.")
    _check_signature(body=body, header=header, secrets=secrets, tolerance_seconds=tolerance_seconds)
    return _decode_event(body)


def _check_signature(*, body: bytes, header: str, secrets: Sequence[str], tolerance_seconds: int) -> None:
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, header, secret, tolerance_seconds)
        except UnicodeDecodeError as error:
            raise WebhookRefused("The body is not UTF-8.") from error
        except (stripe.SignatureVerificationError, ValueError, TypeError):  # TypeError: a signature beyond ASCII
            continue
        if _timestamp(header) > time.time() + tolerance_seconds:
            raise WebhookRefused("The signature's time lies in the future.")
        return
    raise WebhookRefused("No signature fits the body and one of our secrets, or its time is too old.")


def _timestamp(header: str) -> int:
    """The time that was signed: the first `t`, which is the one that the SDK checks."""
    return int(next(item for item in header.split(",") if item.startswith("t=")).removeprefix("t="))


def _decode_event(body: bytes) -> EventEnvelope:
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookRefused("The body is not JSON.") from error
    if not isinstance(decoded, dict) or decoded.get("object") != "event":
        raise WebhookRefused("The body is not a snapshot event.")
    event = parse_event(decoded)
    if not (event.id and event.type):
        raise WebhookRefused("The event has no id or no type.")
    return event
