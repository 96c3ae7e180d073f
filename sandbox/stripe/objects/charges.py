"""Charges, one for each attempt to take the money of a payment intent."""

from sandbox.stripe.calls import Call
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.balance_transactions import new_balance_transaction
from sandbox.stripe.records import Resource, merge_metadata, new_id, random_word


def new_charge(sandbox: Sandbox, *, intent: Resource, payment_method: Resource, status: str) -> Resource:
    """A charge of a payment intent's amount, not saved yet; ``status`` is succeeded, pending or failed."""
    charge_id, kind = new_id("ch" if payment_method["type"] == "card" else "py"), payment_method["type"]
    is_taken = status != "failed"
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if is_taken else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": payment_method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": is_taken,
        "created": sandbox.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(status),
        "paid": status == "succeeded",
        "payment_intent": intent["id"],
        "payment_method": payment_method["id"],
        "payment_method_details": {"type": kind, kind: payment_method[kind]},
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{sandbox.base_url}/receipts/{charge_id}/{random_word(20)}" if is_taken else None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def save_charge(sandbox: Sandbox, charge: Resource) -> None:
    """Save a charge in its state and tell of it; one that succeeded moves the balance."""
    if charge["status"] == "succeeded":
        charge["balance_transaction"] = new_balance_transaction(sandbox, charge=charge)["id"]
    sandbox.store.put(charge)
    emit_event(sandbox, f"charge.{charge['status']}", charge)


def settle_charge(sandbox: Sandbox, charge: Resource, *, succeed: bool) -> None:
    """End a pending charge."""
    charge |= {"status": "succeeded" if succeed else "failed", "paid": succeed}
    charge["outcome"] = _outcome(charge["status"])
    if not succeed:
        charge |= {"amount_captured": 0, "captured": False, "receipt_url": None}
        charge |= {"failure_code": "account_closed", "failure_message": "The customer's bank account is closed."}
    save_charge(sandbox, charge)


def _outcome(status: str) -> Resource:
    is_failed = status == "failed"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if is_failed else "approved_by_network",
        "reason": "generic_decline" if is_failed else None,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "The bank did not return any further details." if is_failed else "Payment complete.",
        "type": "issuer_declined" if is_failed else "authorized",
    }


def retrieve_charge(call: Call) -> Resource:
    """A charge."""
    return call.find("charge")


def update_charge(call: Call) -> Resource:
    """The charge with changed metadata or description."""
    charge = call.find("charge")
    before = dict(charge)
    if "description" in call.params:
        charge["description"] = call.params["description"] or None
    charge["metadata"] = merge_metadata(charge["metadata"], call.params.get("metadata"))
    call.sandbox.store.put(charge)
    if charge != before:
        emit_event(call.sandbox, "charge.updated", charge, before=before)
    return charge


def list_charges(call: Call) -> Resource:
    """A page of charges."""
    filters = {name: name for name in ("created", "customer", "payment_intent")}
    return list_page(call.sandbox, kind="charge", url=call.path, params=call.params, filters=filters)
