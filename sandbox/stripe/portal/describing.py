"""What the pages of the portal show."""

from datetime import UTC, datetime

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.tax_ids import tax_ids_of
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.portal.paying import waiting_intent
from sandbox.stripe.portal.updating import Update, can_cancel, can_resume, can_update
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition
from sandbox.stripe.taxes import COUNTRIES

MOST_INVOICES = 24


def describe_subscription(sandbox: Sandbox, configuration: Resource, subscription: Resource) -> Resource:
    """A subscription: its plan, its period, what waits, and what can be done."""
    items = subscription["items"]["data"]
    schedule = sandbox.store.get(subscription["schedule"] or "")
    coming = None
    if schedule:
        phase = schedule["phases"][1]
        price = sandbox.require("price", phase["items"][0]["price"])
        coming = {**describe_price(sandbox, price), "at": moment(phase["start_date"])}
    return {
        "id": subscription["id"],
        "plans": [{**describe_price(sandbox, item["price"]), "quantity": item["quantity"]} for item in items],
        "status": subscription["status"],
        "ends_at": moment(subscription["cancel_at"]),
        "trial_ends_at": moment(subscription["trial_end"]) if subscription["status"] == "trialing" else None,
        "renews_at": moment(min(item["current_period_end"] for item in items)),
        "started_at": moment(min(item["current_period_start"] for item in items)),
        "coming": coming,
        "can_update": can_update(subscription, configuration),
        "can_cancel": can_cancel(subscription, configuration),
        "can_resume": can_resume(subscription),
    }


def describe_price(sandbox: Sandbox, price: Resource) -> Resource:
    """A price as the name of its plan and what it costs."""
    count, interval = price["recurring"]["interval_count"], price["recurring"]["interval"]
    every = interval if count == 1 else f"{count} {interval}s"
    return {
        "id": price["id"],
        "name": sandbox.require("product", price["product"])["name"],
        "costs": f"{format_amount(price['unit_amount'], price['currency'])} / {every}",
    }


def describe_update(sandbox: Sandbox, subscription: Resource, update: Update) -> Resource:
    """A change of plan as a customer sees it before it is made."""
    currency, invoice = subscription["currency"], update.invoice
    lines = invoice["lines"]["data"] if invoice else []
    taxes = sum(tax["amount"] for tax in invoice["total_taxes"]) if invoice else 0
    used = (invoice["total"] - invoice["amount_due"]) if invoice else 0
    return {
        **describe_price(sandbox, update.price),
        "quantity": update.quantity,
        "waits": update.waits,
        "at": moment(min(item["current_period_end"] for item in subscription["items"]["data"])),
        "lines": [{"text": line["description"], "amount": format_amount(line["amount"], currency)} for line in lines],
        "tax": format_amount(taxes, currency) if taxes else "",
        "balance": format_amount(-used, currency) if used else "",
        "due": format_amount(invoice["amount_due"], currency) if invoice else format_amount(0, currency),
        "is_due": bool(invoice and invoice["amount_due"]),
    }


def describe_invoices(sandbox: Sandbox, customer: Resource) -> list[Resource]:
    """The invoices of a customer, the latest first; drafts are not shown."""
    found = sandbox.store.find("invoice", [Condition("customer", "=", customer["id"])], limit=MOST_INVOICES)
    return [
        {
            "id": invoice["id"],
            "number": invoice["number"],
            "on": moment(invoice["created"]),
            "amount": format_amount(invoice["total"], invoice["currency"]),
            "status": invoice["status"],
            "page": invoice["hosted_invoice_url"],
            "pdf": invoice["invoice_pdf"],
            "waits": waiting_intent(sandbox, invoice) is not None,
        }
        for invoice in found
        if invoice["status"] != "draft"
    ]


def describe_card(card: Resource | None) -> Resource | None:
    """A card as people know it."""
    if card is None:
        return None
    details = card["card"]
    expiry = f"{details['exp_month']:02d}/{details['exp_year'] % 100:02d}"
    return {"brand": details["brand"].title(), "last4": details["last4"], "expiry": expiry}


def describe_customer(sandbox: Sandbox, customer: Resource) -> Resource:
    """Whom invoices are made out to."""
    address = customer["address"] or {}
    names = ("line1", "line2", "postal_code", "city", "state")
    return {
        "name": customer["name"] or "",
        "email": customer["email"] or "",
        "address": {name: address.get(name) or "" for name in (*names, "country")},
        "address_lines": [address[name] for name in names if address.get(name)],
        "country": COUNTRIES.get(address.get("country") or "", address.get("country") or ""),
        "tax_ids": tax_ids_of(sandbox, customer["id"]),
    }


def moment(timestamp: int | None) -> datetime | None:
    """A time as templates format it."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
