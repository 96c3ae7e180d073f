"""The items of a subscription: what is sold, how many of it, and its current period."""

from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.lists import as_list
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.prices import build_price
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.subscriptions.calendar import same_interval


def new_item(
    sandbox: Sandbox, *, subscription_id: str, given: dict[str, Any], at: str, start: int = 0, end: int = 0
) -> Resource:
    """A new item of a subscription, as a request describes it; it is saved with its subscription.

    Raises:
        ApiError: its price is unknown, inactive or not recurring.
    """
    price = recurring_price(sandbox, given, at)
    return {
        "id": new_id("si", length=14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": sandbox.now(),
        "current_period_end": end,
        "current_period_start": start,
        "discounts": [],
        "metadata": merge_metadata({}, given.get("metadata")),
        "plan": plan_of(price),
        "price": price,
        "quantity": given.get("quantity", 1),
        "subscription": subscription_id,
        "tax_rates": [],
    }


def recurring_price(sandbox: Sandbox, given: dict[str, Any], at: str) -> Resource:
    """The recurring price that a request names or describes.

    Raises:
        ApiError: there is none, it is inactive, or it is paid once.
    """
    if "price_data" in given:
        price = {**build_price(sandbox, params=given["price_data"]), "active": False}
        sandbox.store.put(price)
    elif "price" in given:
        price = sandbox.require("price", given["price"], param=f"{at}[price]")
        if not price["active"]:
            raise ApiError("The price specified is inactive. This field only accepts active prices.", param=at)
    else:
        raise ApiError("You must specify either `price` or `price_data`.", param=at)
    if price["recurring"] is None:
        message = "The price specified is set to `type=one_time` but this field only accepts prices with `recurring`."
        raise ApiError(message, param=f"{at}[price]")
    return price


def check_items(items: list[Resource]) -> None:
    """Refuse items that cannot be billed together.

    Raises:
        ApiError: there are none, or they differ in currency or interval.
    """
    if not items:
        raise ApiError("A subscription must have at least one item.", param="items")
    if len({item["price"]["currency"] for item in items}) > 1:
        raise ApiError("All prices on a subscription must use the same currency.", param="items")
    if not all(same_interval(items[0]["price"], item["price"]) for item in items):
        raise ApiError("The sandbox bills all items of a subscription in the same interval.", param="items")


def list_of_items(subscription_id: str, items: list[Resource]) -> Resource:
    """The items as a subscription shows them."""
    return as_list(items, url=f"/v1/subscription_items?subscription={subscription_id}")


def save_items(sandbox: Sandbox, subscription: Resource) -> None:
    """Save each item by itself, so that it can be read by its id."""
    for item in subscription["items"]["data"]:
        sandbox.store.put(item)


def item_amount(item: Resource) -> int:
    """What an item costs for a whole period."""
    return int(item["price"]["unit_amount"]) * int(item["quantity"])


def plan_of(price: Resource) -> Resource:
    """The price under the name that it had before prices."""
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "product": price["product"],
    }
