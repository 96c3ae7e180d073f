"""Webhook signatures in Stripe's scheme (v1: HMAC-SHA256 over ``timestamp.body``)."""

import hashlib
import hmac
from collections.abc import Sequence


def sign_payload(*, payload: bytes, secrets: Sequence[str], timestamp: int) -> str:
    """The ``Stripe-Signature`` header, with one v1 for each secret (two while a secret is being rotated)."""
    signed = str(timestamp).encode() + b"." + payload
    codes = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={code}" for code in codes)])
