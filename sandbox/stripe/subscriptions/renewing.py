"""The end of a period: the next one begins, and its invoice is made and collected."""

import copy

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.billing import issue_bill, prepare_bill
from sandbox.stripe.subscriptions.calendar import period_end
from sandbox.stripe.subscriptions.ending import end_subscription
from sandbox.stripe.subscriptions.items import save_items
from sandbox.stripe.subscriptions.lines import pending_items, recurring_line
from sandbox.stripe.subscriptions.scheduling import take_scheduled_items


def end_period(sandbox: Sandbox, subscription: Resource) -> None:
    """Do what is due at the end of a subscription's period: it ends, is paused for want of a card, or is renewed."""
    if subscription["cancel_at_period_end"]:
        bill_rest(sandbox, subscription)
        end_subscription(sandbox, subscription)
    elif subscription["status"] == "trialing" and not _has_card(sandbox, subscription):
        match subscription["trial_settings"]["end_behavior"]["missing_payment_method"]:
            case "cancel":
                end_subscription(sandbox, subscription)
            case "pause":
                _pause(sandbox, subscription)
            case _:
                renew_subscription(sandbox, subscription)
    else:
        renew_subscription(sandbox, subscription)


def renew_subscription(
    sandbox: Sandbox, subscription: Resource, *, reason: str = "subscription_cycle", restarts: bool = False
) -> None:
    """Begin the next period and bill it. With ``restarts`` it is counted from now on."""
    before = copy.deepcopy(subscription)
    now = sandbox.now()
    period = (subscription["items"]["data"][0]["current_period_start"], now)
    take_scheduled_items(sandbox, subscription)
    begin_period(subscription, at=now, restarts=restarts)
    if subscription["status"] in ("trialing", "paused"):
        subscription["status"] = "active"
    items = subscription["items"]["data"]
    lines = [recurring_line(sandbox, subscription, item) for item in items]
    bill = prepare_bill(sandbox, subscription, reason=reason, lines=lines, period=period)
    save_items(sandbox, subscription)
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")
    issue_bill(sandbox, subscription, bill)


def resume_subscription(sandbox: Sandbox, subscription: Resource) -> None:
    """Let a subscription that was paused at the end of its trial go on: a period starts now, and is billed.

    Raises:
        ApiError: it is not paused.
    """
    if subscription["status"] != "paused":
        raise ApiError(f"Only paused subscriptions can be resumed: this one is {subscription['status']}.")
    renew_subscription(sandbox, subscription, reason="subscription_update", restarts=True)
    resumed = sandbox.require("subscription", subscription["id"])
    emit_event(sandbox, "customer.subscription.resumed", resumed)


def begin_period(subscription: Resource, *, at: int, restarts: bool) -> None:
    """Give all items of a subscription the period that begins now."""
    if restarts:
        subscription["billing_cycle_anchor"] = at
    for item in subscription["items"]["data"]:
        anchor, recurring = subscription["billing_cycle_anchor"], item["price"]["recurring"]
        item["current_period_start"] = at
        item["current_period_end"] = period_end(anchor=anchor, start=at, recurring=recurring)


def bill_rest(sandbox: Sandbox, subscription: Resource) -> None:
    """Bill what is pending when a subscription is about to end."""
    if pending_items(sandbox, subscription["id"]):
        period = (subscription["items"]["data"][0]["current_period_start"], sandbox.now())
        bill = prepare_bill(sandbox, subscription, reason="subscription_cycle", lines=[], period=period)
        sandbox.store.put(subscription)
        issue_bill(sandbox, subscription, bill)


def _has_card(sandbox: Sandbox, subscription: Resource) -> bool:
    customer = sandbox.require("customer", subscription["customer"])
    return bool(subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"])


def _pause(sandbox: Sandbox, subscription: Resource) -> None:
    before = copy.deepcopy(subscription)
    subscription["status"] = "paused"
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")
    emit_event(sandbox, "customer.subscription.paused", subscription)
