"""Changes of subscriptions over the API, their end, and previews of their invoices."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.objects.subscriptions import refuse_failed_start, refuse_unknown
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.changing import change_subscription
from sandbox.stripe.subscriptions.ending import cancel_subscription, require_running
from sandbox.stripe.subscriptions.previewing import preview_invoice
from sandbox.stripe.subscriptions.renewing import bill_rest, resume_subscription

_CHANGED = frozenset(
    {
        "billing_cycle_anchor",
        "cancel_at",
        "cancel_at_period_end",
        "cancellation_details",
        "default_payment_method",
        "description",
        "discounts",
        "expand",
        "items",
        "metadata",
        "off_session",
        "pause_collection",
        "payment_behavior",
        "payment_settings",
        "proration_behavior",
        "proration_date",
        "trial_end",
        "trial_settings",
    }
)
_PREVIEWED = frozenset(
    {
        "billing_cycle_anchor",
        "cancel_at",
        "cancel_at_period_end",
        "items",
        "proration_behavior",
        "proration_date",
        "trial_end",
    }
)


def update_subscription(call: Call) -> Resource:
    """The changed subscription; what the change costs is billed now or with the next invoice."""
    refuse_unknown(call.params, _CHANGED)
    changed = change_subscription(call.sandbox, call.find("subscription"), call.params)
    refuse_failed_start(call, changed)
    return changed


def cancel_subscription_call(call: Call) -> Resource:
    """The subscription, ended now."""
    subscription = call.find("subscription")
    prorate, invoice_now = call.params.get("prorate", False), call.params.get("invoice_now", False)
    cancel_subscription(call.sandbox, subscription, details=call.params.get("cancellation_details"), prorate=prorate)
    if invoice_now:
        bill_rest(call.sandbox, subscription)
    return call.find("subscription")


def resume_subscription_call(call: Call) -> Resource:
    """The subscription, going on after a pause."""
    resume_subscription(call.sandbox, call.find("subscription"))
    return call.find("subscription")


def preview_invoice_call(call: Call) -> Resource:
    """The next invoice of a subscription as it is, or as it would be after a change."""
    params: dict[str, Any] = call.params
    refuse_unknown(params, frozenset({"customer", "expand", "subscription", "subscription_details"}))
    if "subscription" not in params:
        raise ApiError("The sandbox previews invoices of subscriptions only.", param="subscription")
    subscription = call.sandbox.require("subscription", params["subscription"], param="subscription")
    require_running(subscription)
    details = params.get("subscription_details", {})
    refuse_unknown(details, _PREVIEWED)
    return preview_invoice(call.sandbox, subscription, details)
