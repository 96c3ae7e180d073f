"""Subscriptions over the API; what happens to them is in ``sandbox.stripe.subscriptions``."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.lists import list_page, slice_page
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.session_plans import read_trial_end
from sandbox.stripe.records import Resource, merge_metadata
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.starting import Start, automatic_tax, start_subscription

_TAKEN_OVER = ("description", "trial_settings", "cancel_at", "cancel_at_period_end", "payment_settings")
_READ = frozenset(
    {
        "automatic_tax",
        "customer",
        "items",
        "discounts",
        "metadata",
        "default_payment_method",
        "trial_end",
        "trial_period_days",
        "expand",
        "off_session",
        "payment_behavior",
        "proration_behavior",
        *_TAKEN_OVER,
    }
)
_ENDED = ["canceled", "incomplete_expired"]
_RUNNING = ["active", "incomplete", "past_due", "paused", "trialing", "unpaid"]


def create_subscription(call: Call) -> Resource:
    """A new subscription, whose first invoice is collected at once."""
    params = call.params
    refuse_unknown(params, _READ)
    customer = require_customer(call.sandbox, params.get("customer", ""), param="customer")
    if params.get("payment_behavior", "allow_incomplete") != "allow_incomplete":
        raise ApiError("The sandbox knows the behaviour `allow_incomplete` only.", param="payment_behavior")
    is_taxed = params.get("automatic_tax", {}).get("enabled", False)
    start = Start(
        customer_id=customer["id"],
        items=params.get("items", []),
        trial_end=read_trial_end(call.sandbox, params),
        discounts=params.get("discounts") or [],
        metadata=merge_metadata({}, params.get("metadata")),
        payment_method_id=params.get("default_payment_method"),
        fields={**_given_fields(params), "automatic_tax": automatic_tax(is_enabled=is_taxed)},
    )
    return start_subscription(call.sandbox, start)


def retrieve_subscription(call: Call) -> Resource:
    """A subscription, also one that has ended."""
    return call.find("subscription")


def list_subscriptions(call: Call) -> Resource:
    """A page of subscriptions; without a status, of those that have not ended."""
    params = dict(call.params)
    status = params.pop("status", None)
    wanted = {None: _RUNNING, "all": None, "ended": _ENDED}.get(status, [status])
    conditions = [] if wanted is None else [Condition("status", "=", wanted)]
    first = "items.data[0]"
    filters = {
        "collection_method": "collection_method",
        "created": "created",
        "current_period_end": f"{first}.current_period_end",
        "current_period_start": f"{first}.current_period_start",
        "customer": "customer",
        "price": f"{first}.price.id",
    }
    return list_page(
        call.sandbox, kind="subscription", url=call.path, params=params, filters=filters, conditions=conditions
    )


def retrieve_subscription_item(call: Call) -> Resource:
    """An item of a subscription."""
    item = call.find("subscription_item")
    subscription = call.sandbox.require("subscription", item["subscription"])
    return next((one for one in subscription["items"]["data"] if one["id"] == item["id"]), item)


def list_subscription_items(call: Call) -> Resource:
    """A page of the items of a subscription."""
    subscription = call.sandbox.require("subscription", call.params.get("subscription", ""), param="subscription")
    return slice_page(subscription["items"]["data"], url=call.path, params=call.params)


def _given_fields(params: dict[str, Any]) -> Resource:
    return {name: params[name] for name in _TAKEN_OVER if name in params}


def refuse_unknown(params: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse parameters that Stripe takes and the sandbox would silently ignore."""
    if unknown := params.keys() - known:
        raise ApiError(f"The sandbox does not know `{min(unknown)}` of subscriptions.", param=min(unknown))
