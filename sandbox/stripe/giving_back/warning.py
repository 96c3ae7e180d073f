"""Early fraud warnings: a bank says that a charge may be fraud, before anybody disputes it."""

from sandbox.stripe.events import emit_event
from sandbox.stripe.giving_back.charged import require_succeeded
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id


def open_warning(sandbox: Sandbox, charge: Resource, *, fraud_type: str = "unauthorized_use_of_card") -> Resource:
    """A warning of a charge, saved and told of. It can be acted on until the charge is disputed or refunded in full."""
    require_succeeded(charge)
    warning: Resource = {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": not (charge["disputed"] or charge["refunded"]),
        "charge": charge["id"],
        "created": sandbox.now(),
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    sandbox.store.put(warning)
    emit_event(sandbox, "radar.early_fraud_warning.created", warning)
    return warning
