"""What an invoice of a subscription looks like before anything happened to it."""

from sandbox.stripe.lists import DEFAULT_LIMIT
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.invoice_fields import common_fields, transitions
from sandbox.stripe.objects.tax_ids import tax_ids_of
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.discounts import total_discounts
from sandbox.stripe.taxes import on_invoice, on_item, sum_on_invoice, tax_on, tax_status, taxpayer_of


def put_lines(invoice: Resource, lines: list[Resource]) -> None:
    """Give an invoice its lines and add them up. It shows the first ten; the others are listed."""
    for line in lines:
        line["invoice"] = invoice["id"]
    taken = total_discounts(lines)
    subtotal = sum(line["amount"] for line in lines)
    taxes = sum_on_invoice([tax for line in lines for tax in line["taxes"]])
    added = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    all_taxes = sum(tax["amount"] for tax in taxes)
    total = subtotal - sum(discount["amount"] for discount in taken) + added
    invoice |= {
        "_lines": lines,
        "lines": {
            "object": "list",
            "data": lines[:DEFAULT_LIMIT],
            "has_more": len(lines) > DEFAULT_LIMIT,
            "url": f"/v1/invoices/{invoice['id']}/lines",
        },
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal + added - all_taxes,
        "total": total,
        "total_excluding_tax": total - all_taxes,
        "total_taxes": taxes,
        "total_discount_amounts": taken,
        "total_pretax_credit_amounts": [{**discount, "type": "discount"} for discount in taken],
        "amount_due": max(0, total),
        "amount_remaining": max(0, total),
    }


def tax_lines(sandbox: Sandbox, subscription: Resource, lines: list[Resource]) -> None:
    """Compute the tax on each line, after its discount, where the subscription is taxed."""
    if not subscription["automatic_tax"]["enabled"]:
        return
    taxpayer = taxpayer_of(sandbox, sandbox.require("customer", subscription["customer"]))
    for line in lines:
        price = sandbox.require("price", line["pricing"]["price_details"]["price"])
        net = line["amount"] - sum(taken["amount"] for taken in line["discount_amounts"])
        tax = tax_on(net, taxpayer=taxpayer, behavior=price["tax_behavior"] or "unspecified")
        line["taxes"] = [on_invoice(on_item(sandbox, tax))]


def _automatic_tax(sandbox: Sandbox, subscription: Resource, customer: Resource) -> Resource:
    is_enabled = bool(subscription["automatic_tax"]["enabled"])
    return {
        "disabled_reason": None,
        "enabled": is_enabled,
        "liability": {"type": "self"} if is_enabled else None,
        "provider": "stripe" if is_enabled else None,
        "status": tax_status(taxpayer_of(sandbox, customer)) if is_enabled else None,
    }


def build_invoice(sandbox: Sandbox, subscription: Resource, *, customer: Resource, invoice_id: str) -> Resource:
    """A draft without lines."""
    return {
        **common_fields(sandbox, invoice_id=invoice_id, customer_id=customer["id"], currency=subscription["currency"]),
        **_draft_fields(),
        **_customer_fields(sandbox, customer),
        "automatic_tax": _automatic_tax(sandbox, subscription, customer),
        "billing_reason": "subscription_cycle",
        "collection_method": subscription["collection_method"],
        "discounts": list(subscription["discounts"]),
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]},
            "type": "subscription_details",
        },
    }


def _draft_fields() -> Resource:
    """What an invoice lacks until it is finalized and paid."""
    return {
        "amount_paid": 0,
        "attempted": False,
        "auto_advance": True,
        "description": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "metadata": {},
        "number": None,
        "status": "draft",
        "status_transitions": transitions(),
    }


def _customer_fields(sandbox: Sandbox, customer: Resource) -> Resource:
    """The customer as they are now."""
    tax_ids = tax_ids_of(sandbox, customer["id"])
    return {
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"] or "none",
        "customer_tax_ids": [{"type": one["type"], "value": one["value"]} for one in tax_ids],
        "starting_balance": customer["balance"],
    }
