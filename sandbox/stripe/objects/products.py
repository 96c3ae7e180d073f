"""Products."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata, new_id
from sandbox.stripe.store import NOT_DELETED, Condition

_PLAIN_FIELDS = (
    "active",
    "default_price",
    "description",
    "images",
    "marketing_features",
    "name",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)


def create_product(call: Call) -> Resource:
    """A new product."""
    if "default_price_data" in call.params:
        raise ApiError("The sandbox makes no default prices: create the price by itself.", param="default_price_data")
    return new_product(call.sandbox, params=call.params)


def new_product(sandbox: Sandbox, *, params: dict[str, Any]) -> Resource:
    """A new product, asked for by itself or brought along by a price; saved and told of."""
    product_id = params.get("id") or new_id("prod", length=14)
    if sandbox.store.get(product_id):
        raise ApiError("Product already exists.", code="resource_already_exists", param="id")
    product: Resource = {
        "id": product_id,
        "object": "product",
        "active": True,
        "created": sandbox.now(),
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": merge_metadata({}, params.get("metadata")),
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": sandbox.now(),
        "url": None,
        **{name: value for name, value in params.items() if name in _PLAIN_FIELDS},
    }
    sandbox.store.put(product)
    emit_event(sandbox, "product.created", product)
    return product


def retrieve_product(call: Call) -> Resource:
    """A product."""
    return call.find("product")


def update_product(call: Call) -> Resource:
    """The changed product."""
    product = call.find("product")
    before = dict(product)
    product |= {name: value for name, value in call.params.items() if name in _PLAIN_FIELDS}
    for name in ("description", "unit_label", "url", "tax_code", "statement_descriptor"):
        product[name] = product[name] or None
    product["metadata"] = merge_metadata(product["metadata"], call.params.get("metadata"))
    if product != before:
        product["updated"] = call.sandbox.now()
    save_change(call.sandbox, product, before=before, event_type="product.updated")
    return product


def delete_product(call: Call) -> Resource:
    """What is left of a deleted product; one with prices stays."""
    product = call.find("product")
    if call.sandbox.store.find("price", [Condition("product", "=", product["id"])], limit=1):
        raise ApiError("This product cannot be deleted because it has one or more user-created prices.")
    call.sandbox.store.put({"id": product["id"], "object": "product", "deleted": True})
    emit_event(call.sandbox, "product.deleted", product)
    return {"id": product["id"], "object": "product", "deleted": True}


def list_products(call: Call) -> Resource:
    """A page of products."""
    filters = {"active": "active", "created": "created", "url": "url"}
    conditions = [Condition("id", "=", call.params["ids"])] if "ids" in call.params else []
    conditions.append(NOT_DELETED)
    return list_page(
        call.sandbox, kind="product", url=call.path, params=call.params, filters=filters, conditions=conditions
    )
