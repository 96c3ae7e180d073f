"""The end of a session: complete, and later the outcome of a delayed payment."""

from sandbox.stripe.checkout.locating import keep_location, located_address
from sandbox.stripe.checkout.subscribing import start_from_session
from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.checkout_sessions import intent_id_of, save_session
from sandbox.stripe.objects.customers import new_customer
from sandbox.stripe.objects.invoices import new_receipt
from sandbox.stripe.objects.payment_methods import attach_payment_method
from sandbox.stripe.records import Resource


def complete_session(
    sandbox: Sandbox, session: Resource, *, payer_email: str | None, payer_name: str | None, payment_status: str
) -> None:
    """Complete a session in this payment status, with its customer and its receipt, and tell of it."""
    customer = sandbox.store.get(session["customer"] or "", kind="customer")
    email = payer_email or session["customer_email"] or (customer or {}).get("email")
    name = payer_name or (customer or {}).get("name")
    session["customer_details"] = {
        "address": located_address(sandbox, session),
        "email": email,
        "name": name,
        "phone": None,
        "tax_exempt": (customer or {}).get("tax_exempt") or "none",
        "tax_ids": [],
    }
    is_plan = session["mode"] == "subscription"
    creates_invoice = not is_plan and session["invoice_creation"]["enabled"]
    is_saved = session["_payment_intent_params"].get("setup_future_usage") is not None
    needs_customer = is_saved or session["customer_creation"] == "always" or creates_invoice
    if customer is None and needs_customer:
        customer = new_customer(sandbox, fields={"email": email, "name": name}, metadata={})
        session["customer"] = customer["id"]
        _name_customer(sandbox, session)
    keep_location(sandbox, session, name=payer_name)
    session |= {"status": "complete", "payment_status": payment_status, "url": None, "client_secret": None}
    if is_plan:
        start_from_session(sandbox, session, intent=sandbox.store.get(intent_id_of(session) or ""))
    elif payment_status == "paid":
        _add_receipt(sandbox, session)
    save_session(sandbox, session)
    emit_event(sandbox, "checkout.session.completed", session)


def report_delayed_outcome(sandbox: Sandbox, session: Resource, *, intent: Resource, succeed: bool) -> None:
    """Tell that the money of a completed session came, or that it never will."""
    if succeed:
        session["payment_status"] = "paid"
        _add_receipt(sandbox, session)
    save_session(sandbox, session)
    emit_event(sandbox, f"checkout.session.async_payment_{'succeeded' if succeed else 'failed'}", session)


def _name_customer(sandbox: Sandbox, session: Resource) -> None:
    if intent := sandbox.store.get(intent_id_of(session) or ""):
        intent["customer"] = session["customer"]
        sandbox.store.put(intent)
        if intent["setup_future_usage"]:
            payment_method = sandbox.require("payment_method", intent["payment_method"])
            attach_payment_method(sandbox, payment_method, customer_id=session["customer"])


def _add_receipt(sandbox: Sandbox, session: Resource) -> None:
    customer = sandbox.store.get(session["customer"] or "", kind="customer")
    if session["invoice_creation"]["enabled"] and customer and not customer.get("deleted"):
        intent = sandbox.require("payment_intent", session["payment_intent"])
        session["invoice"] = new_receipt(sandbox, session=session, customer=customer, intent=intent)["id"]
