"""What a checkout session in ``subscription`` mode will start when it is paid."""

from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata
from sandbox.stripe.subscriptions.calendar import DAY_SECONDS, read_time

_KNOWN = frozenset(
    {"billing_mode", "metadata", "trial_period_days", "trial_end", "trial_settings", "description", "invoice_settings"}
)


def read_plan(sandbox: Sandbox, params: dict[str, Any]) -> Resource:
    """What ``subscription_data`` asks for: the end of the trial, and the fields that the subscription takes over.

    Raises:
        ApiError: it asks for something that the sandbox does not do.
    """
    given = params.get("subscription_data", {})
    if unknown := given.keys() - _KNOWN:
        name = min(unknown)
        raise ApiError(f"The sandbox does not know `{name}` here.", param=f"subscription_data[{name}]")
    return {
        "trial_end": read_trial_end(sandbox, given, at="subscription_data"),
        "trial_days": given.get("trial_period_days"),
        "metadata": merge_metadata({}, given.get("metadata")),
        "fields": {name: given[name] for name in ("billing_mode", "description", "trial_settings") if name in given},
    }


def read_trial_end(sandbox: Sandbox, given: dict[str, Any], *, at: str = "") -> int | None:
    """When the trial ends that a request asks for by days or by a time, or None.

    Raises:
        ApiError: it asks by both, or its end is past.
    """
    days, ends_at = given.get("trial_period_days"), read_time(given.get("trial_end"))
    if days is not None and ends_at is not None:
        raise ApiError("You may only specify one of these: trial_end, trial_period_days.", param=at or "trial_end")
    if days is not None:
        if days < 1:
            raise ApiError("This value must be greater than or equal to 1.", param=f"{at}[trial_period_days]")
        return sandbox.now() + int(days) * DAY_SECONDS
    if ends_at in (None, "now"):
        return None
    if not isinstance(ends_at, int) or ends_at <= sandbox.now():
        raise ApiError("Invalid trial_end: must be in the future.", param=f"{at}[trial_end]" if at else "trial_end")
    return ends_at


def plan_fields(plan: Resource, params: dict[str, Any]) -> Resource:
    """The fields of a session in which it differs from one that sells something once."""
    return {
        "_plan": plan,
        "_payment_intent_params": {"description": "Subscription creation", "setup_future_usage": "off_session"},
        "customer_creation": None if "customer" in params else "always",
        "invoice_creation": None,
        "payment_method_collection": params.get("payment_method_collection", "always"),
        "payment_method_types": ["card"],
    }
