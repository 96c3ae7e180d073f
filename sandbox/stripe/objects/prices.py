"""Prices."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.products import new_product
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.store import Condition


def create_price(call: Call) -> Resource:
    """A new price of a product that exists, or of one described in ``product_data``."""
    params = dict(call.params)
    if product_params := params.get("product_data"):
        params["product"] = new_product(call.sandbox, params=product_params)["id"]
    if "product" not in params:
        raise ApiError("You must specify either `product` or `product_data` when creating a price.")
    return new_price(call.sandbox, params=params)


def new_price(sandbox: Sandbox, *, params: dict[str, Any]) -> Resource:
    """A new price, saved and told of."""
    price = build_price(sandbox, params=params)
    sandbox.store.put(price)
    emit_event(sandbox, "price.created", price)
    return price


def build_price(sandbox: Sandbox, *, params: dict[str, Any]) -> Resource:
    """A price that is not saved yet.

    Raises:
        ApiError: it has no whole, non-negative amount, or its product does not exist.
    """
    sandbox.require("product", params["product"], param="product")
    amount = params.get("unit_amount", params.get("unit_amount_decimal"))
    if amount is None:
        raise ApiError("One of `unit_amount`, `unit_amount_decimal` or `custom_unit_amount` is required.")
    if not str(amount).isdigit():
        raise ApiError(f"Invalid non-negative integer: {amount}", param="unit_amount")
    recurring = params.get("recurring")
    return {
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": sandbox.now(),
        "currency": params["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": params.get("lookup_key"),
        "metadata": merge_metadata({}, params.get("metadata")),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": _read_recurring(recurring) if recurring else None,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": int(amount),
        "unit_amount_decimal": str(int(amount)),
    }


def retrieve_price(call: Call) -> Resource:
    """A price."""
    return call.find("price")


def update_price(call: Call) -> Resource:
    """The changed price; its amount and currency can never change."""
    price = call.find("price")
    before = dict(price)
    price |= {name: call.params[name] for name in ("active", "nickname", "lookup_key") if name in call.params}
    price["metadata"] = merge_metadata(price["metadata"], call.params.get("metadata"))
    save_change(call.sandbox, price, before=before, event_type="price.updated")
    return price


def list_prices(call: Call) -> Resource:
    """A page of prices."""
    filters = {name: name for name in ("active", "created", "currency", "product", "type")}
    conditions = [Condition("lookup_key", "=", call.params["lookup_keys"])] if "lookup_keys" in call.params else []
    return list_page(
        call.sandbox, kind="price", url=call.path, params=call.params, filters=filters, conditions=conditions
    )


def _read_recurring(recurring: dict[str, Any]) -> Resource:
    return {
        "interval": recurring["interval"],
        "interval_count": recurring.get("interval_count", 1),
        "meter": None,
        "trial_period_days": recurring.get("trial_period_days"),
        "usage_type": recurring.get("usage_type", "licensed"),
    }
