"""Deliveries of events to webhook endpoints: planned with the event, made by the background worker."""

import http.client
import json
import time
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.signing import sign_payload

SignatureKind: TypeAlias = Literal["good", "wrong", "old"]

BACKOFF_SECONDS = (1, 3, 10, 30, 60, 120, 300, 600)
TIMEOUT_SECONDS = 10
_SWITCH_ID = "sandbox_delivery_switch"
_OLD_SECONDS = 600  # an endpoint refuses what was signed more than 300 s ago
_REORDER_SECONDS = 1.0


@dataclass(frozen=True)
class DeliverySwitch:
    """How events leave. ``collect`` keeps deliveries until they are released; ``drop`` loses them.

    ``reorder`` keeps each event back for a second and then delivers the newest first.
    """

    mode: Literal["deliver", "collect", "drop"] = "deliver"
    delay_seconds: float = 0.0
    copies: int = 1
    reorder: bool = False
    signature: SignatureKind = "good"


def read_switch(sandbox: Sandbox) -> DeliverySwitch:
    """How events leave now."""
    stored = sandbox.store.get(_SWITCH_ID)
    return DeliverySwitch(**stored["settings"]) if stored else DeliverySwitch()


def save_switch(sandbox: Sandbox, switch: DeliverySwitch) -> None:
    """Change how events leave from now on."""
    sandbox.store.put({"id": _SWITCH_ID, "object": "sandbox.switch", "settings": asdict(switch)})


def endpoints_for(sandbox: Sandbox, event_type: str) -> list[Resource]:
    """The enabled endpoints that asked for this type of event."""
    return [
        endpoint
        for endpoint in sandbox.store.find("webhook_endpoint")
        if endpoint["status"] == "enabled"
        and ("*" in endpoint["enabled_events"] or event_type in endpoint["enabled_events"])
    ]


def plan_deliveries(sandbox: Sandbox, *, event: Resource, endpoint: Resource) -> None:
    """Plan what one endpoint gets of one event, as the switch says."""
    switch = read_switch(sandbox)
    state = {"deliver": "pending", "collect": "held", "drop": "dropped"}[switch.mode]
    due_at = sandbox.step_at + switch.delay_seconds + (_REORDER_SECONDS if switch.reorder else 0)
    for _ in range(switch.copies):
        delivery: Resource = {
            "id": new_id("dlv"),
            "object": "sandbox.delivery",
            "event": event["id"],
            "type": event["type"],
            "endpoint": endpoint["id"],
            "created": sandbox.now(),
            "state": state,
            "signature": switch.signature,
            "reorder": switch.reorder,
            "attempts": [],
        }
        sandbox.store.put(delivery, due_at=due_at if state == "pending" else None)


def make_due_deliveries(sandbox: Sandbox) -> int:
    """Make the deliveries whose time has come. Returns how many were tried."""
    with sandbox.store.unit():
        due = sandbox.store.find_due("sandbox.delivery", now=time.time())
    if any(delivery["reorder"] for delivery in due):
        due.reverse()
    for delivery in due:
        make_delivery(sandbox, delivery["id"])
    return len(due)


def make_delivery(sandbox: Sandbox, delivery_id: str) -> None:
    """Send one delivery now and record the attempt; a failed one is planned again with a growing pause."""
    with sandbox.store.unit():
        delivery = sandbox.store.get(delivery_id)
        if delivery is None:
            return
        event, endpoint = sandbox.store.get(delivery["event"]), sandbox.store.get(delivery["endpoint"])
    if event is None or endpoint is None or endpoint["status"] != "enabled":
        _record(sandbox, delivery_id, state="dropped", attempt=None)
        return
    payload = render_payload(event)
    header = signature_header(sandbox, endpoint=endpoint, payload=payload, signature=delivery["signature"])
    started = time.monotonic()
    status, answer = _post(endpoint["url"], payload, header)
    attempt = {
        "at": int(time.time()),
        "status": status,
        "answer": answer,
        "milliseconds": round((time.monotonic() - started) * 1000),
    }
    _record(sandbox, delivery_id, state="delivered" if 200 <= status < 300 else "pending", attempt=attempt)


def render_payload(event: Resource) -> bytes:
    """The body of a delivery, the same bytes each time."""
    return json.dumps(event, indent=2).encode()


def signature_header(sandbox: Sandbox, *, endpoint: Resource, payload: bytes, signature: SignatureKind = "good") -> str:
    """The ``Stripe-Signature`` header for a body, or one that must be refused."""
    timestamp = int(time.time()) - (_OLD_SECONDS if signature == "old" else 0)
    secrets = ["whsec_wrong"] if signature == "wrong" else endpoint["_secrets"]
    return sign_payload(payload=payload, secrets=secrets, timestamp=timestamp)


def _record(sandbox: Sandbox, delivery_id: str, *, state: str, attempt: Resource | None) -> None:
    with sandbox.store.unit():
        delivery = sandbox.store.get(delivery_id)
        if delivery is None:  # reset while the request was on its way
            return
        if attempt:
            delivery["attempts"].append(attempt)
        tries, due_at = len(delivery["attempts"]), None
        if state == "pending" and tries > len(BACKOFF_SECONDS):
            state = "failed"
        elif state == "pending":
            due_at = time.time() + BACKOFF_SECONDS[tries - 1]
        delivery["state"], delivery["reorder"] = state, False
        sandbox.store.put(delivery, due_at=due_at)
        event = sandbox.store.get(delivery["event"])
        if event and state == "delivered" and event["pending_webhooks"] > 0:
            event["pending_webhooks"] -= 1
            sandbox.store.put(event)


def _post(url: str, payload: bytes, header: str) -> tuple[int, str]:
    """The status and the beginning of the answer; status 0 means that no answer came. Redirects count as failures."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": header,
        "Connection": "close",
    }
    try:
        connection.request("POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", payload, headers)
        response = connection.getresponse()
        return response.status, response.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
