"""The items of subscriptions over the API; a change of one is a change of its subscription."""

from sandbox.stripe.calls import Call
from sandbox.stripe.lists import slice_page
from sandbox.stripe.objects.subscriptions import refuse_failed_start, refuse_unknown
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.changing import change_subscription

_OF_ITEM = ("metadata", "price", "price_data", "quantity")
_OF_CHANGE = ("payment_behavior", "proration_behavior", "proration_date")
_KNOWN = frozenset({"expand", "off_session", "subscription", *_OF_ITEM, *_OF_CHANGE})


def create_subscription_item(call: Call) -> Resource:
    """A new item of a subscription."""
    subscription = call.sandbox.require("subscription", call.params["subscription"], param="subscription")
    known = {item["id"] for item in subscription["items"]["data"]}
    changed = _change(call, subscription, {})
    return next(item for item in changed["items"]["data"] if item["id"] not in known)


def update_subscription_item(call: Call) -> Resource:
    """The item with another price or quantity."""
    item = call.find("subscription_item")
    subscription = call.sandbox.require("subscription", item["subscription"])
    _change(call, subscription, {"id": item["id"]})
    return retrieve_subscription_item(call)


def delete_subscription_item(call: Call) -> Resource:
    """What is left of an item that was taken from its subscription."""
    item = call.find("subscription_item")
    subscription = call.sandbox.require("subscription", item["subscription"])
    _change(call, subscription, {"id": item["id"], "deleted": True})
    call.sandbox.store.remove(item["id"])
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


def retrieve_subscription_item(call: Call) -> Resource:
    """An item of a subscription."""
    item = call.find("subscription_item")
    subscription = call.sandbox.require("subscription", item["subscription"])
    return next((one for one in subscription["items"]["data"] if one["id"] == item["id"]), item)


def list_subscription_items(call: Call) -> Resource:
    """A page of the items of a subscription."""
    subscription = call.sandbox.require("subscription", call.params.get("subscription", ""), param="subscription")
    return slice_page(subscription["items"]["data"], url=call.path, params=call.params)


def _change(call: Call, subscription: Resource, item: Resource) -> Resource:
    refuse_unknown(call.params, _KNOWN)
    given = {name: call.params[name] for name in _OF_ITEM if name in call.params}
    params = {name: call.params[name] for name in _OF_CHANGE if name in call.params}
    changed = change_subscription(call.sandbox, subscription, {**params, "items": [{**item, **given}]})
    refuse_failed_start(call, changed)
    return changed
