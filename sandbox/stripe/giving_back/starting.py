"""How refunds that are asked for over the API start, which a test may change."""

from typing import cast

from sandbox.stripe.giving_back.refunding import RefundStart
from sandbox.stripe.machine import Sandbox

_SWITCH_ID = "sandbox_refund_switch"


def save_refund_start(sandbox: Sandbox, status: RefundStart | None) -> None:
    """Let refunds start in this status from now on; None is as Stripe does it."""
    sandbox.store.put({"id": _SWITCH_ID, "object": "sandbox.switch", "status": status})


def read_refund_start(sandbox: Sandbox) -> RefundStart | None:
    """The status in which every refund starts, or None where its payment method decides."""
    stored = sandbox.store.get(_SWITCH_ID)
    return cast(RefundStart, stored["status"]) if stored and stored["status"] else None
