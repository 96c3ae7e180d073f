"""Invoices: the paid receipt of a session with ``invoice_creation``. Those of subscriptions come here too."""

from sandbox.stripe.calls import Call
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import as_list, list_page, slice_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.invoice_fields import common_fields, transitions
from sandbox.stripe.records import Resource, new_id, random_word
from sandbox.stripe.taxes import on_invoice, sum_on_invoice


def new_receipt(sandbox: Sandbox, *, session: Resource, customer: Resource, intent: Resource) -> Resource:
    """The paid invoice of a session, with its payment, saved and told of."""
    invoice = _build_invoice(sandbox, session, customer)
    before = dict(customer)
    customer["next_invoice_sequence"] += 1
    sandbox.store.put(customer)
    sandbox.store.put(invoice)
    payment = _build_invoice_payment(sandbox, invoice, intent)
    sandbox.store.put(payment)
    emit_event(sandbox, "customer.updated", customer, before=before)
    for event_type in ("invoice.paid", "invoice.payment_succeeded"):
        emit_event(sandbox, event_type, invoice)
    emit_event(sandbox, "invoice_payment.paid", payment)
    return invoice


def _build_invoice(sandbox: Sandbox, session: Resource, customer: Resource) -> Resource:
    invoice_id, settings = new_id("in"), session["invoice_creation"]["invoice_data"]
    return {
        **common_fields(sandbox, invoice_id=invoice_id, customer_id=customer["id"], currency=session["currency"]),
        **_payment_fields(session, paid_at=sandbox.now()),
        **_customer_fields(session["customer_details"]),
        **_address_fields(sandbox, invoice_id),
        **_total_fields(session, invoice_id, now=sandbox.now()),
        "automatic_tax": {"disabled_reason": None, **session["automatic_tax"]},
        "billing_reason": "manual",
        "description": settings["description"],
        "discounts": [],
        "footer": settings["footer"],
        "metadata": settings["metadata"],
        "number": f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}",
        "parent": None,
    }


def _payment_fields(session: Resource, *, paid_at: int) -> Resource:
    """A receipt is finalized and paid when it is made."""
    total = session["amount_total"]
    return {
        "amount_due": total,
        "amount_paid": total,
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "collection_method": "charge_automatically",
        "effective_at": paid_at,
        "ending_balance": 0,
        "starting_balance": 0,
        "status": "paid",
        "status_transitions": transitions(finalized_at=paid_at, paid_at=paid_at),
    }


def _customer_fields(details: Resource) -> Resource:
    """The customer as the checkout was told."""
    return {
        "customer_address": details["address"] if details["address"]["country"] else None,
        "customer_email": details["email"],
        "customer_name": details["name"],
        "customer_phone": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": details["tax_ids"],
    }


def _address_fields(sandbox: Sandbox, invoice_id: str) -> Resource:
    """Where the invoice can be seen."""
    address = f"{sandbox.base_url}/invoices/{invoice_id}/{random_word(30)}"
    return {"hosted_invoice_url": address, "invoice_pdf": f"{address}?print=1"}


def _total_fields(session: Resource, invoice_id: str, *, now: int) -> Resource:
    """The lines and what they add up to."""
    lines = [_build_line(item, invoice_id, now) for item in session["_line_items"]]
    taxes = sum_on_invoice([tax for line in lines for tax in line["taxes"]])
    added = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    all_taxes = sum(tax["amount"] for tax in taxes)
    return {
        "lines": as_list(lines, url=f"/v1/invoices/{invoice_id}/lines"),
        "subtotal": session["amount_subtotal"],
        "subtotal_excluding_tax": session["amount_subtotal"] - all_taxes + added,
        "total": session["amount_total"],
        "total_discount_amounts": [],
        "total_excluding_tax": session["amount_total"] - all_taxes,
        "total_pretax_credit_amounts": [],
        "total_taxes": taxes,
    }


def _build_line(item: Resource, invoice_id: str, now: int) -> Resource:
    price = item["price"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": item["amount_subtotal"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": {"end": now, "start": now},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item["quantity"],
        "subscription": None,
        "subtotal": item["amount_subtotal"],
        "taxes": [on_invoice(tax) for tax in item.get("taxes", [])],
    }


def _build_invoice_payment(sandbox: Sandbox, invoice: Resource, intent: Resource) -> Resource:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": invoice["amount_paid"],
        "amount_requested": invoice["amount_due"],
        "created": sandbox.now(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": sandbox.now()},
    }


def retrieve_invoice(call: Call) -> Resource:
    """An invoice."""
    return call.find("invoice")


def list_invoices(call: Call) -> Resource:
    """A page of invoices."""
    filters = {name: name for name in ("collection_method", "created", "customer", "due_date", "status")}
    filters["subscription"] = "parent.subscription_details.subscription"
    return list_page(call.sandbox, kind="invoice", url=call.path, params=call.params, filters=filters)


def list_invoice_lines(call: Call) -> Resource:
    """A page of the lines of an invoice."""
    return slice_page(_lines_of(call.find("invoice")), url=call.path, params=call.params)


def _lines_of(invoice: Resource) -> list[Resource]:
    lines: list[Resource] = invoice.get("_lines") or invoice["lines"]["data"]  # the object shows the first ten only
    return lines


def retrieve_invoice_payment(call: Call) -> Resource:
    """An invoice payment."""
    return call.find("invoice_payment")


def list_invoice_payments(call: Call) -> Resource:
    """A page of invoice payments; by payment intent it finds the invoice of a payment."""
    params = dict(call.params)
    if "payment" in params:
        params["payment_intent"] = params["payment"].get("payment_intent")
    filters = {"invoice": "invoice", "status": "status", "payment_intent": "payment.payment_intent"}
    return list_page(call.sandbox, kind="invoice_payment", url=call.path, params=params, filters=filters)
