"""The balance of a customer: credit, which is negative, from refunded time and gifts; the next invoices use it up."""

from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id


def move_balance(
    sandbox: Sandbox,
    customer_id: str,
    *,
    amount: int,
    kind: str,
    currency: str,
    invoice_id: str | None = None,
    credit_note_id: str | None = None,
) -> Resource:
    """Move a customer's balance, record why, and tell of it. A negative amount is in the customer's favour."""
    customer = sandbox.require("customer", customer_id)
    before = dict(customer)
    customer["balance"] += amount
    customer["currency"] = customer["currency"] or currency
    movement: Resource = {
        "id": new_id("cbtxn"),
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": None,
        "created": sandbox.now(),
        "credit_note": credit_note_id,
        "currency": currency,
        "customer": customer_id,
        "description": None,
        "ending_balance": customer["balance"],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }
    sandbox.store.put(movement)
    save_change(sandbox, customer, before=before, event_type="customer.updated")
    return movement
