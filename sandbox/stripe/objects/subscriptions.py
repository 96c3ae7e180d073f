"""Subscriptions over the API; what happens to them is in ``sandbox.stripe.subscriptions``."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.lists import list_page
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.objects.session_plans import read_trial_end
from sandbox.stripe.records import Resource, merge_metadata
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.settings import require_card_of
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
    require_card_of(call.sandbox, params.get("default_payment_method"), customer_id=customer["id"])
    started = start_subscription(call.sandbox, start)
    refuse_failed_start(call, started)
    return started


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


def _given_fields(params: dict[str, Any]) -> Resource:
    return {name: params[name] for name in _TAKEN_OVER if name in params}


def refuse_unknown(params: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse parameters that Stripe takes and the sandbox would silently ignore."""
    if unknown := params.keys() - known:
        raise ApiError(f"The sandbox does not know `{min(unknown)}` of subscriptions.", param=min(unknown))
    if params.get("payment_behavior", "allow_incomplete") not in ("allow_incomplete", "error_if_incomplete"):
        message = "The sandbox knows the behaviors `allow_incomplete` and `error_if_incomplete` only."
        raise ApiError(message, param="payment_behavior")


def refuse_failed_start(call: Call, subscription: Resource) -> None:
    """With ``error_if_incomplete`` nothing of a request stays whose invoice is not paid at once."""
    invoice = call.sandbox.store.get(subscription["latest_invoice"] or "") or {}
    if call.params.get("payment_behavior") == "error_if_incomplete" and invoice.get("status") == "open":
        raise ApiError("Your card was declined.", status=402, kind="card_error", code="card_declined")
