"""Portal sessions: a customer's way in, for an hour."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.portal.configurations import find_default, prices_on_offer
from sandbox.stripe.records import Resource, new_id, random_word

LASTS_SECONDS = 3600
_FEATURES = {
    "payment_method_update": "payment_method_update",
    "subscription_cancel": "subscription_cancel",
    "subscription_update": "subscription_update",
    "subscription_update_confirm": "subscription_update",
    "customer_update": "customer_update",
}


def create_portal_session(call: Call) -> Resource:
    """A new session of a customer, which may begin with one thing to do (``flow_data``)."""
    params, sandbox = call.params, call.sandbox
    customer = require_customer(sandbox, params.get("customer", ""), param="customer")
    configuration = _configuration_of(sandbox, params)
    flow = _read_flow(sandbox, params["flow_data"], customer, configuration) if "flow_data" in params else None
    return_url = params.get("return_url") or configuration["default_return_url"]
    if return_url is None:
        message = "You must provide a `return_url`, or set a `default_return_url` in the configuration."
        raise ApiError(message, code="parameter_missing", param="return_url")
    session: Resource = {
        "id": new_id("bps"),
        "object": "billing_portal.session",
        "configuration": configuration["id"],
        "created": sandbox.now(),
        "customer": customer["id"],
        "flow": flow,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": return_url,
        "_token": random_word(48),
    }
    session["url"] = f"{sandbox.base_url}/p/session/{session['id']}/{session['_token']}"
    sandbox.store.put(session)
    emit_event(sandbox, "billing_portal.session.created", session)
    return session


def _configuration_of(sandbox: Sandbox, params: dict[str, Any]) -> Resource:
    if given := params.get("configuration"):
        return sandbox.require("billing_portal.configuration", given, param="configuration")
    default = find_default(sandbox)
    if default is None:
        message = (
            "No configuration provided and your test mode default configuration has not been created. Provide a "
            "configuration or create your default by saving your customer portal settings in test mode."
        )
        raise ApiError(message, param="configuration")
    return default


def _read_flow(sandbox: Sandbox, given: dict[str, Any], customer: Resource, configuration: Resource) -> Resource:
    """What a session begins with.

    Raises:
        ApiError: the configuration does not allow it, or the subscription is not one that it can be done to.
    """
    kind = given["type"]
    feature = _FEATURES.get(kind)
    if feature is None:
        raise ApiError(f"The sandbox does not know the flow {kind}.", param="flow_data[type]")
    if not configuration["features"][feature]["enabled"]:
        message = f"This session's configuration does not have the feature {feature} enabled."
        raise ApiError(message, param="flow_data[type]")
    flow: Resource = {
        "type": kind,
        "after_completion": _read_completion(given),
        **dict.fromkeys(("subscription_cancel", "subscription_update", "subscription_update_confirm")),
    }
    if kind.startswith("subscription_"):
        if kind not in given:
            raise ApiError(f"Missing required param: flow_data[{kind}].", param=f"flow_data[{kind}]")
        subscription = _subscription_of(sandbox, given[kind], customer, at=f"flow_data[{kind}]")
        flow[kind] = {**({"retention": None} if kind == "subscription_cancel" else {}), **given[kind]}
        _check_flow(kind, flow, subscription, configuration)
    return flow


def _check_flow(kind: str, flow: Resource, subscription: Resource, configuration: Resource) -> None:
    if kind == "subscription_cancel" and subscription["cancel_at"]:
        message = f"The subscription `{subscription['id']}` is already set to be canceled at period end."
        raise ApiError(message, param="flow_data[subscription_cancel][subscription]")
    if kind != "subscription_update_confirm":
        return
    items = flow[kind]["items"]
    known = {item["id"]: item for item in subscription["items"]["data"]}
    if len(items) != 1 or items[0]["id"] not in known:
        raise ApiError("Name the one item of the subscription.", param="flow_data[subscription_update_confirm][items]")
    item = {"price": known[items[0]["id"]]["price"]["id"], "quantity": known[items[0]["id"]]["quantity"], **items[0]}
    flow[kind] = {"discounts": None, **flow[kind], "items": [item]}
    current = known[item["id"]]
    if item["price"] == current["price"]["id"] and item["quantity"] == current["quantity"]:
        message = "The subscription has these items already."
        raise ApiError(message, param="flow_data[subscription_update_confirm][items]")
    if item["price"] not in prices_on_offer(configuration):
        message = f"The price {item['price']} is not among the products of the configuration."
        raise ApiError(message, param="flow_data[subscription_update_confirm][items]")


def _subscription_of(sandbox: Sandbox, given: dict[str, Any], customer: Resource, *, at: str) -> Resource:
    subscription = sandbox.require("subscription", given["subscription"], param=f"{at}[subscription]")
    if subscription["customer"] != customer["id"] or subscription["status"] in ("canceled", "incomplete_expired"):
        message = f"No such subscription of this customer that can be changed: '{subscription['id']}'"
        raise ApiError(message, code="resource_missing", param=f"{at}[subscription]")
    return subscription


def _read_completion(given: dict[str, Any]) -> Resource:
    after = given.get("after_completion", {"type": "portal_homepage"})
    if after["type"] == "redirect" and "redirect" not in after:
        raise ApiError("Missing required param: return_url.", param="flow_data[after_completion][redirect]")
    return {"hosted_confirmation": None, "redirect": None, **after}
