"""Invoice items that a request makes: what a customer will be billed for."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.prices import build_price
from sandbox.stripe.objects.products import new_product
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.store import Condition


def create_invoice_item(call: Call) -> Resource:
    """A new item, of a draft that exists or of the next invoice that takes pending ones."""
    params, sandbox = call.params, call.sandbox
    customer = require_customer(sandbox, params.get("customer", ""), param="customer")
    invoice = sandbox.require("invoice", params["invoice"], param="invoice") if "invoice" in params else None
    if "subscription" in params:
        raise ApiError("The sandbox adds items to invoices of their own only.", param="subscription")
    if invoice is not None and (invoice["status"] != "draft" or invoice["customer"] != customer["id"]):
        raise ApiError("Invoice items can only be added to a draft of the same customer.", param="invoice")
    price, quantity = _price_of(sandbox, params), params.get("quantity", 1)
    if invoice is not None and invoice["currency"] != price["currency"]:
        raise ApiError("The currency of the invoice item must be that of the invoice.", param="currency")
    item = _build_item(sandbox, params, customer=customer, price=price, quantity=quantity)
    item["invoice"] = invoice["id"] if invoice else None
    sandbox.store.put(item)
    emit_event(sandbox, "invoiceitem.created", item)
    return item


def retrieve_invoice_item(call: Call) -> Resource:
    """An invoice item."""
    return call.find("invoiceitem")


def list_invoice_items(call: Call) -> Resource:
    """A page of invoice items."""
    filters = {name: name for name in ("customer", "invoice")}
    conditions = [Condition("invoice", "=", None)] if call.params.get("pending") else []
    return list_page(
        call.sandbox, kind="invoiceitem", url=call.path, params=call.params, filters=filters, conditions=conditions
    )


def delete_invoice_item(call: Call) -> Resource:
    """What is left of a deleted invoice item.

    Raises:
        ApiError: an invoice that is no draft any more has it.
    """
    item = call.find("invoiceitem")
    invoice = call.sandbox.store.get(item["invoice"] or "")
    if invoice is not None and invoice["status"] != "draft":
        raise ApiError("You cannot delete an invoice item that is attached to an invoice that is no draft.")
    call.sandbox.store.remove(item["id"])
    emit_event(call.sandbox, "invoiceitem.deleted", item)
    return {"id": item["id"], "object": "invoiceitem", "deleted": True}


def items_of(sandbox: Sandbox, *, customer_id: str, invoice_id: str | None) -> list[Resource]:
    """The items of an invoice, or, with None, those of no subscription that no invoice has yet; the oldest first."""
    found = sandbox.store.find("invoiceitem", [Condition("customer", "=", customer_id)])
    return [item for item in found[::-1] if item["invoice"] == invoice_id and item["parent"] is None]


def line_of(item: Resource) -> Resource:
    """An item as the line of an invoice."""
    return {
        "id": item["_line_id"],
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": item["discountable"],
        "discounts": [],
        "invoice": item["invoice"],
        "livemode": False,
        "metadata": item["metadata"],
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": item["quantity"],
        "quantity_decimal": item["quantity_decimal"],
        "subscription": None,
        "subtotal": item["amount"],
        "taxes": [],
    }


def _price_of(sandbox: Sandbox, params: dict[str, Any]) -> Resource:
    """The price of an item: one that exists, or one made of what the request says, which nobody can buy at again."""
    if given := params.get("pricing", {}).get("price"):
        price = sandbox.require("price", given, param="pricing[price]")
        if price["type"] != "one_time":
            raise ApiError("The price specified is recurring.", param="pricing[price]")
        return price
    described = dict(params.get("price_data") or {})
    if not described:
        amount = params.get("amount", params.get("unit_amount_decimal"))
        if amount is None or "currency" not in params:
            raise ApiError("You must specify `amount` and `currency`, or a price.", param="amount")
        name = params.get("description") or "Invoice item"
        described = {"currency": params["currency"], "unit_amount": amount}
        described["product"] = new_product(sandbox, params={"name": name})["id"]
        described["tax_behavior"] = params.get("tax_behavior", "unspecified")
    price = {**build_price(sandbox, params=described), "active": False}
    sandbox.store.put(price)
    return price


def _build_item(
    sandbox: Sandbox, params: dict[str, Any], *, customer: Resource, price: Resource, quantity: int
) -> Resource:
    now = sandbox.now()
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": price["currency"],
        "customer": customer["id"],
        "date": now,
        "description": params.get("description") or sandbox.require("product", price["product"])["name"],
        "discountable": params.get("discountable", True),
        "discounts": [],
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata")),
        "net_amount": amount,
        "parent": None,
        "period": params.get("period") or {"end": now, "start": now},
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "proration": False,
        "proration_details": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": None,
        "_line_id": new_id("il"),
    }
