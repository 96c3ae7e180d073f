"""The lines of a subscription's invoices, and the pending items that become lines of the next one."""

from collections.abc import Sequence

from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.pages.money import format_amount
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.items import item_amount


def recurring_line(sandbox: Sandbox, subscription: Resource, item: Resource, *, is_trial: bool = False) -> Resource:
    """The line for an item's current period; a trial's costs nothing."""
    price = item["price"]
    name = product_name(sandbox, item)
    each = f"(at {format_amount(price['unit_amount'], price['currency'])} / {_say_interval(price)})"
    return _build_line(
        subscription,
        item,
        amount=0 if is_trial else item_amount(item),
        description=f"Trial period for {name}" if is_trial else f"{item['quantity']} × {name} {each}",
        start=item["current_period_start"],
        end=item["current_period_end"],
    )


def new_pending_line(
    sandbox: Sandbox,
    subscription: Resource,
    item: Resource,
    *,
    amount: int,
    description: str,
    start: int,
    end: int,
    credited: Resource | None = None,
    discount_amounts: Sequence[Resource] = (),
) -> Resource:
    """A proration as a line that has no invoice yet. ``save_pending`` keeps it for the next one."""
    line = _build_line(subscription, item, amount=amount, description=description, start=start, end=end)
    credited_items = {"invoice": credited["invoice"], "invoice_line_items": [credited["line"]]} if credited else None
    details = line["parent"]["subscription_item_details"]
    details |= {
        "invoice_item": new_id("ii"),
        "proration": True,
        "proration_details": {"credited_items": credited_items if amount < 0 else None},
    }
    line["discountable"] = False  # what a discount takes off is off already, or stands beside it
    line["discount_amounts"] = list(discount_amounts)
    return line


def save_pending(sandbox: Sandbox, subscription: Resource, lines: list[Resource]) -> None:
    """Keep prorations as pending invoice items and tell of them; the next invoice of the subscription takes them."""
    for line in lines:
        details = line["parent"]["subscription_item_details"]
        item: Resource = {
            "id": details["invoice_item"],
            "object": "invoiceitem",
            "amount": line["amount"],
            "currency": line["currency"],
            "customer": subscription["customer"],
            "date": sandbox.now(),
            "description": line["description"],
            "discountable": False,
            "discounts": [],
            "invoice": None,
            "livemode": False,
            "metadata": {},
            "net_amount": line["amount"],
            "parent": {
                "subscription_details": {
                    "subscription": subscription["id"],
                    "subscription_item": details["subscription_item"],
                },
                "type": "subscription_details",
            },
            "period": line["period"],
            "pricing": line["pricing"],
            "proration": True,
            "proration_details": {"credited_items": None, "discount_amounts": []},
            "quantity": line["quantity"],
            "quantity_decimal": str(line["quantity"]),
            "tax_rates": [],
            "test_clock": None,
            "_line": line,
        }
        sandbox.store.put(item)
        emit_event(sandbox, "invoiceitem.created", item)


def take_pending(sandbox: Sandbox, subscription_id: str, *, invoice_id: str) -> list[Resource]:
    """The lines of a subscription's pending items, the oldest first; from now on they belong to this invoice."""
    pending = pending_items(sandbox, subscription_id)
    for item in pending:
        item["invoice"] = invoice_id
        sandbox.store.put(item)
    return [item["_line"] for item in pending]


def pending_items(sandbox: Sandbox, subscription_id: str) -> list[Resource]:
    """The prorations of a subscription that no invoice has yet, the oldest first."""
    path = "parent.subscription_details.subscription"
    found = sandbox.store.find("invoiceitem", [Condition(path, "=", subscription_id)])
    return [item for item in found[::-1] if item["invoice"] is None]


def product_name(sandbox: Sandbox, item: Resource) -> str:
    """What an item is called."""
    return str(sandbox.require("product", item["price"]["product"])["name"])


def _build_line(
    subscription: Resource, item: Resource, *, amount: int, description: str, start: int, end: int
) -> Resource:
    price = item["price"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {**subscription["metadata"], **item["metadata"]},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": end, "start": start},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subscription": subscription["id"],
        "subtotal": amount,
        "taxes": [],
    }


def _say_interval(price: Resource) -> str:
    count, interval = price["recurring"]["interval_count"], price["recurring"]["interval"]
    return interval if count == 1 else f"every {count} {interval}s"
