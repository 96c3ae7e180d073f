"""How refunds that are asked for over the API start, which a test may change."""

from typing import cast

from sandbox.stripe.giving_back.refunding import RefundStart
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource

_SWITCH_ID = "sandbox_refund_switch"
_PENDING_LAST4 = "7726"  # docs.stripe.com/testing: a refund of 4000 0000 0000 7726 starts pending and succeeds later


def save_refund_start(sandbox: Sandbox, status: RefundStart | None) -> None:
    """Let refunds start in this status from now on; None is as Stripe does it."""
    sandbox.store.put({"id": _SWITCH_ID, "object": "sandbox.switch", "status": status})


def read_refund_start(sandbox: Sandbox, charge: Resource) -> RefundStart | None:
    """The status in which a refund of this charge starts, or None where its payment method decides."""
    stored = sandbox.store.get(_SWITCH_ID)
    if stored and stored["status"]:
        return cast(RefundStart, stored["status"])
    card = charge["payment_method_details"].get("card", {})
    return "pending" if card.get("last4") == _PENDING_LAST4 else None
