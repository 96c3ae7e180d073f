"""Deliveries composed by hand, for what the sandbox never sends."""

import itertools
import json
import time
from collections.abc import Mapping
from typing import Any

from django.test import Client

from billing.gateway.client import API_VERSION
from sandbox.stripe.signing import sign_payload

SECRET = "whsec_test"
URL = "/webhooks/stripe/"
_numbers = itertools.count(1)


def make_event(stripe_object: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """An event around an object, by default of a type that we have no handler for."""
    return {
        "id": f"evt_hand{next(_numbers)}",
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": {"object": stripe_object or {"id": "prod_1", "object": "product"}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "product.created",
        **fields,
    }


def post_event(
    event: Mapping[str, Any] | bytes,
    *,
    secrets: list[str] | None = None,
    age_seconds: int = 0,
    header: str | None = None,
) -> Any:
    """The answer to an event, or raw bytes, posted with a signature made `age_seconds` ago."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    if header is None:
        header = sign_payload(payload=body, secrets=secrets or [SECRET], timestamp=int(time.time()) - age_seconds)
    return Client().post(URL, body, content_type="application/json", headers={"Stripe-Signature": header})
