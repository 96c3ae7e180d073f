"""Invoices that a request makes, finalizes, pays and voids, and what a request does with those of subscriptions."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.charging.attempts import Taking
from sandbox.stripe.errors import ApiError, PaymentFailed
from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.invoice_items import items_of, line_of
from sandbox.stripe.objects.payment_methods import find_payment_method
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.subscriptions.collecting import default_card, mark_paid
from sandbox.stripe.subscriptions.dunning import collect_and_follow, follow_payment, follow_release
from sandbox.stripe.subscriptions.invoice_form import put_lines, tax_lines
from sandbox.stripe.subscriptions.invoicing import (
    draft_invoice,
    finalize_invoice,
    save_invoice,
    void_invoice,
    write_off_invoice,
)
from sandbox.stripe.taxes import tax_status, taxpayer_of

_DAY_SECONDS = 24 * 3600
_REQUIRES_ACTION = "invoice_payment_intent_requires_action"


def create_invoice(call: Call) -> Resource:
    """A new draft for a customer; with ``pending_invoice_items_behavior=include`` it takes the pending items."""
    params, sandbox = call.params, call.sandbox
    customer = require_customer(sandbox, params.get("customer", ""), param="customer")
    _check_params(params)
    items = items_of(sandbox, customer_id=customer["id"], invoice_id=None)
    if params.get("pending_invoice_items_behavior", "exclude") == "exclude":
        items = []
    currency = params.get("currency") or (items[0]["currency"] if items else customer["currency"] or "usd")
    items = [item for item in items if item["currency"] == currency]
    invoice_id = new_id("in")
    for item in items:
        sandbox.store.put({**item, "invoice": invoice_id})
    terms = _terms(params, customer, currency=currency.lower())
    lines = [line_of(item) for item in items]
    tax_lines(sandbox, terms, lines)
    return draft_invoice(sandbox, terms, lines=lines, invoice_id=invoice_id, **_fields(sandbox, params))


def update_invoice(call: Call) -> Resource:
    """The changed invoice; what it bills cannot be changed here."""
    unknown = call.params.keys() - {"metadata", "description", "default_payment_method", "expand"}
    if unknown:
        raise ApiError("The sandbox changes words and cards of invoices only.", param=min(unknown))
    invoice = call.find("invoice")
    before = dict(invoice)
    for name in ("description", "default_payment_method"):
        if name in call.params:
            invoice[name] = call.params[name] or None
    invoice["metadata"] = merge_metadata(invoice["metadata"], call.params.get("metadata"))
    save_invoice(call.sandbox, invoice)
    emit_event(call.sandbox, "invoice.updated", invoice, before=before)
    return invoice


def finalize_invoice_call(call: Call) -> Resource:
    """The invoice, open, or paid at once where nothing is due."""
    invoice = call.find("invoice")
    if call.params.get("auto_advance"):
        raise ApiError("The sandbox collects invoices of their own only when asked to.", param="auto_advance")
    _finalize(call.sandbox, invoice)
    return invoice


def pay_invoice_call(call: Call) -> Resource:
    """The invoice, paid. A draft is finalized first.

    Raises:
        PaymentFailed: the money could not be taken; the invoice stays open.
    """
    sandbox, params = call.sandbox, call.params
    invoice = call.find("invoice")
    if invoice["status"] == "draft":
        _finalize(sandbox, invoice)
    if invoice["status"] == "paid":
        raise ApiError("Invoice is already paid", code="invoice_already_paid")
    if params.get("paid_out_of_band"):
        mark_paid(sandbox, invoice, out_of_band=True)
        follow_payment(sandbox, invoice, is_paid=True)
        return invoice
    given = params.get("payment_method")
    card = find_payment_method(sandbox, given, param="payment_method") if given else default_card(sandbox, invoice)
    if card is None:
        message = "There is no `default_payment_method` set on this Customer or Invoice. Please set one."
        raise ApiError(message, code="invoice_no_payment_method", param="payment_method")
    if card["customer"] != invoice["customer"]:
        raise ApiError("The payment method must be attached to the customer.", param="payment_method")
    _refuse_failed(collect_and_follow(sandbox, invoice, payment_method=card))
    return invoice


def void_invoice_call(call: Call) -> Resource:
    """The invoice, void: nobody owes it any more."""
    invoice = call.find("invoice")
    void_invoice(call.sandbox, invoice)
    follow_release(call.sandbox, invoice)
    return invoice


def write_off_invoice_call(call: Call) -> Resource:
    """The invoice, given up as uncollectible."""
    invoice = call.find("invoice")
    write_off_invoice(call.sandbox, invoice)
    follow_release(call.sandbox, invoice)
    return invoice


def delete_invoice_call(call: Call) -> Resource:
    """What is left of a deleted draft; its items go with it."""
    invoice = call.find("invoice")
    if invoice["status"] != "draft":
        raise ApiError("You can only delete draft invoices.")
    for item in items_of(call.sandbox, customer_id=invoice["customer"], invoice_id=invoice["id"]):
        call.sandbox.store.remove(item["id"])
    call.sandbox.store.remove(invoice["id"])
    emit_event(call.sandbox, "invoice.deleted", invoice)
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


def _finalize(sandbox: Sandbox, invoice: Resource) -> None:
    """Finalize a draft with the items that it has by now, taxed where the customer lives by now."""
    customer = sandbox.require("customer", invoice["customer"])
    if invoice["automatic_tax"]["enabled"]:
        status = tax_status(taxpayer_of(sandbox, customer))
        if status != "complete":
            message = (
                "The customer's location isn't recognized. Set a valid customer address in order to automatically "
                "calculate tax."
            )
            raise ApiError(message, code="customer_tax_location_invalid")
        invoice["automatic_tax"] = {**invoice["automatic_tax"], "status": status}
    if invoice["status"] == "draft" and invoice["parent"] is None:
        items = items_of(sandbox, customer_id=customer["id"], invoice_id=invoice["id"])
        lines = [line_of(item) for item in items]
        tax_lines(sandbox, invoice, lines)
        put_lines(invoice, lines)
        invoice["customer_address"] = customer["address"]
    finalize_invoice(sandbox, invoice)
    if invoice["amount_due"] == 0:
        mark_paid(sandbox, invoice)


def _refuse_failed(taking: Taking) -> None:
    if taking.outcome == "asks_authentication":
        message = (
            "This payment requires additional user action before it can be completed successfully. Payment can be "
            "completed using the `PaymentIntent` associated with the invoice."
        )
        raise PaymentFailed({"code": _REQUIRES_ACTION, "message": message, "type": "card_error"})
    if taking.error is not None:
        raise PaymentFailed({name: value for name, value in taking.error.items() if name != "payment_method"})


def _check_params(params: dict[str, Any]) -> None:
    if params.get("auto_advance"):
        raise ApiError("The sandbox collects invoices of their own only when asked to.", param="auto_advance")
    for name in ("subscription", "from_invoice", "discounts", "shipping_cost"):
        if name in params:
            raise ApiError(f"The sandbox does not know `{name}` of invoices.", param=name)
    if params.get("collection_method") == "send_invoice" and not params.keys() & {"days_until_due", "due_date"}:
        raise ApiError("You must pass `days_until_due` or `due_date` to send an invoice.", param="days_until_due")


def _terms(params: dict[str, Any], customer: Resource, *, currency: str) -> Resource:
    """What an invoice of its own has instead of a subscription."""
    return {
        "id": None,
        "automatic_tax": {"enabled": params.get("automatic_tax", {}).get("enabled", False)},
        "collection_method": params.get("collection_method", "charge_automatically"),
        "currency": currency,
        "customer": customer["id"],
        "discounts": [],
        "metadata": {},
    }


def _fields(sandbox: Sandbox, params: dict[str, Any]) -> Resource:
    days = params.get("days_until_due")
    return {
        "auto_advance": False,
        "billing_reason": "manual",
        "default_payment_method": params.get("default_payment_method"),
        "description": params.get("description"),
        "due_date": params.get("due_date") or (sandbox.now() + days * _DAY_SECONDS if days else None),
        "footer": params.get("footer"),
        "metadata": merge_metadata({}, params.get("metadata")),
        "parent": None,
        "_retries": [],
    }
