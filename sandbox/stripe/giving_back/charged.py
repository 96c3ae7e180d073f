"""The charge that money was taken by, and what giving it back changes in it."""

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.checkout_sessions import intent_id_of
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition


def find_charge(sandbox: Sandbox, resource_id: str) -> Resource:
    """The charge with this id, or the one that paid this payment intent, checkout session or invoice.

    Raises:
        ApiError: there is none.
    """
    found = sandbox.store.get(resource_id)
    if found is not None and found["object"] == "checkout.session":
        found = sandbox.store.get(intent_id_of(found) or "")
    if found is not None and found["object"] == "invoice":
        payments = sandbox.store.find("invoice_payment", [Condition("invoice", "=", resource_id)], limit=1)
        found = sandbox.store.get(payments[0]["payment"]["payment_intent"] or "") if payments else None
    if found is not None and found["object"] == "payment_intent":
        found = sandbox.store.get(found["latest_charge"] or "")
    if found is None or found["object"] != "charge":
        raise ApiError(f"Nothing was charged for {resource_id}.", code="resource_missing")
    return found


def require_succeeded(charge: Resource) -> None:
    """Refuse a charge that took no money."""
    if charge["status"] != "succeeded":
        raise ApiError(f"Charge {charge['id']} has a status of `{charge['status']}`: it took no money.")


def change_refunded(sandbox: Sandbox, charge: Resource, *, by: int) -> None:
    """Count a refund in its charge, or, with a negative amount, one that did not reach the customer."""
    charge["amount_refunded"] += by
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    sandbox.store.put(charge)
    if charge["refunded"]:
        settle_warnings(sandbox, charge)


def settle_warnings(sandbox: Sandbox, charge: Resource) -> None:
    """Nothing can be done about a fraud warning any more once its charge is disputed or refunded in full."""
    for warning in sandbox.store.find("radar.early_fraud_warning", [Condition("charge", "=", charge["id"])]):
        if warning["actionable"]:
            changed = {**warning, "actionable": False}
            sandbox.store.put(changed)
            emit_event(sandbox, "radar.early_fraud_warning.updated", changed, before=warning)
