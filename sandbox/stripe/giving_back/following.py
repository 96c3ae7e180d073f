"""What follows at once from a payment with one of Stripe's special test cards."""

from sandbox.stripe.giving_back.disputing import open_dispute
from sandbox.stripe.giving_back.warning import open_warning
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource


def follow_card(sandbox: Sandbox, charge: Resource, *, kind: str) -> None:
    """Dispute a charge, ask about it or warn of it, as its card says; an empty ``kind`` does nothing."""
    if kind == "fraud_warning":
        open_warning(sandbox, charge)
    elif kind:
        open_dispute(sandbox, charge, is_inquiry=kind == "inquiry")
