"""What customers may do in the portal."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata, new_id

_FEATURES: dict[str, Resource] = {
    "customer_update": {"enabled": False, "allowed_updates": []},
    "invoice_history": {"enabled": False},
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "enabled": False,
        "cancellation_reason": {"enabled": False, "options": []},
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {"enabled": False, "duration": {"type": "indefinite", "interval_options": []}},
    "subscription_update": {
        "enabled": False,
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}


def create_configuration(call: Call) -> Resource:
    """A new configuration. The first one is the default of sessions that name none."""
    params, sandbox = call.params, call.sandbox
    now = sandbox.now()
    configuration: Resource = {
        "id": new_id("bpc"),
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": now,
        "default_return_url": None,
        "features": {name: dict(feature) for name, feature in _FEATURES.items()},
        "is_default": find_default(sandbox) is None,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": now,
    }
    _apply(sandbox, configuration, params)
    sandbox.store.put(configuration)
    emit_event(sandbox, "billing_portal.configuration.created", configuration)
    return configuration


def update_configuration(call: Call) -> Resource:
    """The changed configuration."""
    configuration = call.find("billing_portal.configuration")
    before = {**configuration, "features": dict(configuration["features"])}
    if call.params.get("active") is False and configuration["is_default"]:
        raise ApiError("The default configuration cannot be deactivated.", param="active")
    configuration["active"] = call.params.get("active", configuration["active"])
    _apply(call.sandbox, configuration, call.params)
    configuration["updated"] = call.sandbox.now()
    event_type = "billing_portal.configuration.updated"
    save_change(call.sandbox, configuration, before=before, event_type=event_type)
    return configuration


def retrieve_configuration(call: Call) -> Resource:
    """A configuration; the products whose prices customers may choose are told when they are asked for."""
    return call.find("billing_portal.configuration")


def list_configurations(call: Call) -> Resource:
    """A page of configurations."""
    filters = {"active": "active", "is_default": "is_default"}
    kind = "billing_portal.configuration"
    return list_page(call.sandbox, kind=kind, url=call.path, params=call.params, filters=filters)


def find_default(sandbox: Sandbox) -> Resource | None:
    """The configuration of sessions that name none."""
    found = sandbox.store.find("billing_portal.configuration")
    return next((configuration for configuration in found if configuration["is_default"]), None)


def prices_on_offer(configuration: Resource) -> list[str]:
    """The ids of the prices that customers may change to."""
    products = configuration["features"]["subscription_update"].get("products") or []
    return [price for product in products for price in product["prices"]]


def _apply(sandbox: Sandbox, configuration: Resource, params: dict[str, Any]) -> None:
    for name, given in params.get("features", {}).items():
        known = configuration["features"][name]
        changed = {key: value if value != "" else _FEATURES[name].get(key) for key, value in given.items()}
        configuration["features"][name] = {**known, **changed}
    _check_update(sandbox, configuration["features"]["subscription_update"])
    for part in ("business_profile", "login_page"):
        configuration[part] = {**configuration[part], **params.get(part, {})}
    for name in ("default_return_url", "name"):
        if name in params:
            configuration[name] = params[name] or None
    configuration["metadata"] = merge_metadata(configuration["metadata"], params.get("metadata"))


def _check_update(sandbox: Sandbox, feature: Resource) -> None:
    """Refuse plans that cannot be changed to.

    Raises:
        ApiError: there are none, one is unknown or bought once, or two of a product look the same.
    """
    at = "features[subscription_update]"
    for product in feature.get("products") or []:
        product.setdefault("adjustable_quantity", {"enabled": False, "maximum": None, "minimum": 1})
    feature["schedule_at_period_end"].setdefault("conditions", [])
    if not feature["enabled"]:
        return
    if not feature.get("products") or not feature["default_allowed_updates"]:
        message = "To let customers update subscriptions, say what they may update, and to which products."
        raise ApiError(message, code="parameter_missing", param=f"{at}[products]")
    for product in feature["products"]:
        sandbox.require("product", product["product"], param=f"{at}[products]")
        intervals = set()
        for price_id in product["prices"]:
            price = sandbox.require("price", price_id, param=f"{at}[products]")
            if price["type"] != "recurring" or price["product"] != product["product"]:
                raise ApiError(f"{price_id} is no recurring price of {product['product']}.", param=f"{at}[products]")
            interval = (price["recurring"]["interval"], price["recurring"]["interval_count"], price["currency"])
            if interval in intervals:
                message = "The prices of a product must have different intervals: customers cannot tell them apart."
                raise ApiError(message, param=f"{at}[products]")
            intervals.add(interval)
