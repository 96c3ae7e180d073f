"""Payment methods: made by those who pay, and attached to customers for later payments."""

import hashlib

from sandbox.stripe.calls import Call
from sandbox.stripe.checkout.cards import SHORTCUTS
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.store import Condition

_DELAYED_TYPES = {"usd": "us_bank_account", "gbp": "bacs_debit", "aud": "au_becs_debit", "cad": "acss_debit"}


def delayed_type_of(currency: str) -> str:
    """The bank debit that Stripe offers in a currency."""
    return _DELAYED_TYPES.get(currency, "sepa_debit")


def new_payment_method(sandbox: Sandbox, *, kind: str, details: Resource, billing: Resource) -> Resource:
    """A new payment method, saved; it is attached to nobody and pays once."""
    payment_method: Resource = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing,
        "created": sandbox.now(),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: details,
    }
    sandbox.store.put(payment_method)
    return payment_method


def new_card(sandbox: Sandbox, *, number: str, exp_month: int, exp_year: int, billing: Resource) -> Resource:
    """A card as a new payment method, saved. Its number, which no request ever tells, says how it will behave."""
    details = card_details(number=number, exp_month=exp_month, exp_year=exp_year)
    payment_method = new_payment_method(sandbox, kind="card", details=details, billing=billing)
    payment_method["_number"] = number
    sandbox.store.put(payment_method)
    return payment_method


def card_details(*, number: str, exp_month: int, exp_year: int) -> Resource:
    """A card as a payment method shows it."""
    brand = {"4": "visa", "5": "mastercard", "3": "amex"}.get(number[:1], "unknown")
    return {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": hashlib.sha256(number.encode()).hexdigest()[:16],  # the same card has the same one
        "funding": "credit",
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def billing_details(*, email: str | None, name: str | None) -> Resource:
    """Who pays, as charges and payment methods show it."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {"address": address, "email": email, "name": name, "phone": None, "tax_id": None}


def find_payment_method(sandbox: Sandbox, payment_method_id: str, *, param: str | None = None) -> Resource:
    """A payment method by its id; one of Stripe's test shortcuts, ``pm_card_visa`` and the like, makes a new card."""
    if number := SHORTCUTS.get(payment_method_id):
        billing = billing_details(email=None, name=None)
        return new_card(sandbox, number=number, exp_month=12, exp_year=2034, billing=billing)
    return sandbox.require("payment_method", payment_method_id, param=param)


def attach_payment_method(sandbox: Sandbox, payment_method: Resource, *, customer_id: str) -> None:
    """Save a payment method with a customer for later payments, and tell of it.

    Raises:
        ApiError: it was detached, or belongs to somebody else.
    """
    if payment_method.get("_is_detached"):
        message = (
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again."
        )
        raise ApiError(message, param="payment_method")
    if payment_method["customer"] not in (None, customer_id):
        message = "The payment method you provided has already been attached to a customer."
        raise ApiError(message, param="payment_method")
    payment_method["customer"] = customer_id
    sandbox.store.put(payment_method)
    emit_event(sandbox, "payment_method.attached", payment_method)


def detach_payment_method(sandbox: Sandbox, payment_method: Resource) -> None:
    """Take a payment method from its customer, for good, and tell of it.

    Raises:
        ApiError: it is not attached to anybody.
    """
    if payment_method["customer"] is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise ApiError(message, param="payment_method")
    before = dict(payment_method)
    customer = sandbox.store.get(payment_method["customer"], kind="customer") or {}
    payment_method |= {"customer": None, "_is_detached": True}
    sandbox.store.put(payment_method)
    emit_event(sandbox, "payment_method.detached", payment_method, before=before)
    settings = customer.get("invoice_settings") or {}
    if settings.get("default_payment_method") == payment_method["id"]:
        changed = {**customer, "invoice_settings": {**settings, "default_payment_method": None}}
        save_change(sandbox, changed, before=customer, event_type="customer.updated")


def retrieve_payment_method(call: Call) -> Resource:
    """A payment method."""
    return call.find("payment_method")


def update_payment_method(call: Call) -> Resource:
    """The payment method with changed metadata or billing details."""
    payment_method = call.find("payment_method")
    before = dict(payment_method)
    if "billing_details" in call.params:
        payment_method["billing_details"] = payment_method["billing_details"] | call.params["billing_details"]
    payment_method["metadata"] = merge_metadata(payment_method["metadata"], call.params.get("metadata"))
    save_change(call.sandbox, payment_method, before=before, event_type="payment_method.updated")
    return payment_method


def attach_payment_method_call(call: Call) -> Resource:
    """The payment method, saved with a customer."""
    customer = require_customer(call.sandbox, call.params["customer"], param="customer")
    payment_method = find_payment_method(call.sandbox, call.id)
    attach_payment_method(call.sandbox, payment_method, customer_id=customer["id"])
    return payment_method


def detach_payment_method_call(call: Call) -> Resource:
    """The payment method, taken from its customer."""
    payment_method = call.find("payment_method")
    detach_payment_method(call.sandbox, payment_method)
    return payment_method


def list_payment_methods(call: Call) -> Resource:
    """A page of the payment methods that are saved with a customer."""
    if "customer" not in call.params:
        raise ApiError("Missing required param: customer.", code="parameter_missing", param="customer")
    return _page_of(call, customer_id=require_customer(call.sandbox, call.params["customer"], param="customer")["id"])


def list_customer_payment_methods(call: Call) -> Resource:
    """A page of the payment methods of the customer that the path names."""
    return _page_of(call, customer_id=require_customer(call.sandbox, call.ids["customer"])["id"])


def retrieve_customer_payment_method(call: Call) -> Resource:
    """A payment method of the customer that the path names."""
    payment_method = call.sandbox.require("payment_method", call.ids["payment_method"])
    if payment_method["customer"] != call.ids["customer"]:
        message = f"No such PaymentMethod: '{payment_method['id']}'; it does not belong to this customer."
        raise ApiError(message, status=404, code="resource_missing", param="id")
    return payment_method


def _page_of(call: Call, *, customer_id: str) -> Resource:
    conditions = [Condition("customer", "=", customer_id)]
    return list_page(
        call.sandbox,
        kind="payment_method",
        url=call.path,
        params=call.params,
        filters={"type": "type"},
        conditions=conditions,
    )
