"""What of a subscription changes without money: its card, its end, a pause of collection, a longer trial, metadata."""

import copy
from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.calendar import read_time
from sandbox.stripe.subscriptions.ending import require_running
from sandbox.stripe.subscriptions.scheduling import drop_schedule

_PLAIN = ("default_payment_method", "description", "trial_settings", "payment_settings")


def change_settings(sandbox: Sandbox, subscription: Resource, params: dict[str, Any]) -> None:
    """Change what costs nothing, save the subscription, and tell of it."""
    before = copy.deepcopy(subscription)
    apply_settings(sandbox, subscription, params)
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")


def apply_settings(sandbox: Sandbox, subscription: Resource, params: dict[str, Any]) -> None:
    """Change what costs nothing; the subscription is not saved here.

    Raises:
        ApiError: it has ended, a time is past, or the card is not saved with the customer.
    """
    require_running(subscription)
    require_card_of(sandbox, params.get("default_payment_method"), customer_id=subscription["customer"])
    subscription |= {name: params[name] or None for name in _PLAIN if name in params}
    subscription["metadata"] = merge_metadata(subscription["metadata"], params.get("metadata"))
    if "pause_collection" in params:
        pause = params["pause_collection"]
        given = {"resumes_at": None, **pause} if pause else None
        subscription["pause_collection"] = given
    if "cancel_at_period_end" in params:
        _set_end(sandbox, subscription, at=_period_end(subscription) if params["cancel_at_period_end"] else None)
        subscription["cancel_at_period_end"] = params["cancel_at_period_end"]
    elif "cancel_at" in params:
        at: Any = read_time(params["cancel_at"]) or None
        if at in ("min_period_end", "max_period_end"):
            at = _period_end(subscription)
        if at is not None and at <= sandbox.now():
            raise ApiError("Invalid cancel_at: must be in the future.", param="cancel_at")
        _set_end(sandbox, subscription, at=at)
    if details := params.get("cancellation_details"):
        subscription["cancellation_details"] = {**subscription["cancellation_details"], **details}


def require_card_of(sandbox: Sandbox, payment_method_id: str | None, *, customer_id: str) -> None:
    """Refuse a payment method that is not saved with the customer.

    Raises:
        ApiError: it does not exist, or belongs to nobody or to somebody else.
    """
    if not payment_method_id:
        return
    found = sandbox.require("payment_method", payment_method_id, param="default_payment_method")
    if found["customer"] != customer_id:
        message = f"The customer does not have a payment method with the ID {payment_method_id}."
        raise ApiError(message, code="resource_missing", param="default_payment_method")


def subscriptions_of(sandbox: Sandbox, customer_id: str) -> list[Resource]:
    """The subscriptions of a customer that have not ended, the latest first."""
    running = ["active", "trialing", "past_due", "unpaid", "incomplete", "paused"]
    conditions = [Condition("customer", "=", customer_id), Condition("status", "=", running)]
    return sandbox.store.find("subscription", conditions)


def _set_end(sandbox: Sandbox, subscription: Resource, *, at: int | None) -> None:
    if at is not None:
        drop_schedule(sandbox, subscription)
    details = subscription["cancellation_details"]
    subscription |= {
        "cancel_at": at,
        "cancel_at_period_end": False,
        "canceled_at": sandbox.now() if at else None,
        "cancellation_details": {**details, "reason": "cancellation_requested" if at else None},
    }


def _period_end(subscription: Resource) -> int:
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])
