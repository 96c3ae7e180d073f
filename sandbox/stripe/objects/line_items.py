"""The lines of a checkout session."""

from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.prices import build_price
from sandbox.stripe.objects.products import new_product
from sandbox.stripe.records import Resource, new_id

MOST_LINES = 100


def build_line_items(sandbox: Sandbox, given: list[dict[str, Any]], *, is_recurring: bool = False) -> list[Resource]:
    """The lines of a new session, each with its price, which may be described on the spot.

    Raises:
        ApiError: a price is unknown, inactive or of the wrong type, currencies are mixed, or there are too many lines.
    """
    if len(given) > MOST_LINES:
        raise ApiError(f"You can only pass {MOST_LINES} line items.", param="line_items")
    items = [_build_line_item(sandbox, line, f"line_items[{index}]", is_recurring) for index, line in enumerate(given)]
    if len({item["currency"] for item in items}) > 1:
        raise ApiError("All prices on a Checkout Session must use the same currency.", param="line_items")
    return items


def apply_discount(items: list[Resource], *, percent_off: float) -> list[Resource]:
    """The lines with a percentage taken off, rounded to the minor unit."""
    discounted = []
    for item in items:
        amount = int(item["amount_subtotal"] * percent_off / 100 + 0.5)
        discounted.append({**item, "amount_discount": amount, "amount_total": item["amount_subtotal"] - amount})
    return discounted


def _build_line_item(sandbox: Sandbox, line: dict[str, Any], at: str, is_recurring: bool) -> Resource:
    price = _price_of(sandbox, line, at)
    if (price["type"] == "recurring") != is_recurring:
        refusals = (
            "You specified `payment` mode but passed a recurring price.",
            "The sandbox takes recurring prices only in `subscription` mode.",
        )
        message = refusals[is_recurring]
        raise ApiError(message, param=f"{at}[price]")
    quantity = line.get("quantity", 1)
    if quantity < 1:
        raise ApiError("This value must be greater than or equal to 1.", param=f"{at}[quantity]")
    product = sandbox.require("product", price["product"])
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": line.get("metadata") or {},
        "price": price,
        "quantity": quantity,
    }


def _price_of(sandbox: Sandbox, line: dict[str, Any], at: str) -> Resource:
    if ("price" in line) == ("price_data" in line):
        raise ApiError("You must specify either `price` or `price_data`, and not both.", param=at)
    if "price" in line:
        price = sandbox.require("price", line["price"], param=f"{at}[price]")
        if not price["active"]:
            message = "The price specified is inactive. This field only accepts active prices."
            raise ApiError(message, param=f"{at}[price]")
        return price
    described = dict(line["price_data"])
    if product_params := described.get("product_data"):
        described["product"] = new_product(sandbox, params=product_params)["id"]
    if "product" not in described:
        raise ApiError("You must specify either `product` or `product_data`.", param=f"{at}[price_data]")
    price = {**build_price(sandbox, params=described), "active": False}  # it can be read, and never be bought again
    sandbox.store.put(price)
    return price
