"""What follows at once from a payment with one of Stripe's special test cards."""

from sandbox.stripe.checkout.cards import behaviour_of
from sandbox.stripe.giving_back.disputing import open_dispute
from sandbox.stripe.giving_back.warning import open_warning
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource


def follow_charge(sandbox: Sandbox, intent: Resource) -> None:
    """Dispute what an intent took, ask about it or warn of it, as its card says; most cards do nothing."""
    payment_method = sandbox.require("payment_method", intent["payment_method"])
    kind = behaviour_of(payment_method.get("_number", "")).afterwards
    charge = sandbox.require("charge", intent["latest_charge"])
    if kind == "fraud_warning":
        open_warning(sandbox, charge)
    elif kind:
        open_dispute(sandbox, charge, is_inquiry=kind == "inquiry")
