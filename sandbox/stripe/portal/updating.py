"""What customers do to their subscription in the portal: another plan, its end, its going on."""

import copy
from dataclasses import dataclass
from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.portal.configurations import prices_on_offer
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.changing import change_subscription
from sandbox.stripe.subscriptions.ending import cancel_subscription
from sandbox.stripe.subscriptions.items import item_amount
from sandbox.stripe.subscriptions.previewing import preview_invoice
from sandbox.stripe.subscriptions.scheduling import schedule_change
from sandbox.stripe.subscriptions.settings import change_settings

_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_UPDATABLE = ("active", "trialing")


@dataclass(frozen=True)
class Update:
    """A change of plan that a customer looks at before it is made."""

    price: Resource
    quantity: int
    waits: bool  # until the end of the period
    params: dict[str, Any]
    invoice: Resource | None  # what would be due now; None when nothing is


def can_update(subscription: Resource, configuration: Resource) -> bool:
    """Whether the plan of a subscription can be changed: one that ends or owes something cannot."""
    feature = configuration["features"]["subscription_update"]
    is_simple = len(subscription["items"]["data"]) == 1
    is_running = subscription["status"] in _UPDATABLE and subscription["cancel_at"] is None
    return bool(feature["enabled"] and is_simple and is_running)


def prices_for(sandbox: Sandbox, configuration: Resource, subscription: Resource) -> list[Resource]:
    """The prices that a subscription can be changed to, the cheapest first; its own is among them if it is offered."""
    currency = subscription["currency"]
    found = [sandbox.require("price", price_id) for price_id in prices_on_offer(configuration)]
    usable = [price for price in found if price["active"] and price["currency"] == currency]
    return sorted(usable, key=lambda price: (_days(price), int(price["unit_amount"])))


def plan_update(
    sandbox: Sandbox, configuration: Resource, subscription: Resource, *, price_id: str, quantity: int | None = None
) -> Update:
    """What a change of plan would do and cost. Nothing is changed.

    Raises:
        ApiError: the subscription cannot be changed, or not to that price.
    """
    if not can_update(subscription, configuration):
        raise ApiError("This plan cannot be changed now.")
    prices = {price["id"]: price for price in prices_for(sandbox, configuration, subscription)}
    if price_id not in prices:
        raise ApiError("Choose one of the plans.")
    feature, item, price = configuration["features"]["subscription_update"], _item(subscription), prices[price_id]
    wanted = quantity or int(item["quantity"])
    if price_id == item["price"]["id"] and wanted == item["quantity"]:
        raise ApiError("You have this plan already.")
    params: dict[str, Any] = {
        "items": [{"id": item["id"], "price": price_id, "quantity": wanted}],
        "proration_behavior": feature["proration_behavior"],
    }
    if feature.get("billing_cycle_anchor") == "now":
        params["billing_cycle_anchor"] = {"type": "now"}
    if subscription["status"] == "trialing" and feature["trial_update_behavior"] == "end_trial":
        params["trial_end"] = "now"
    waits = _must_wait(feature, item, price, wanted)
    is_due_now = not waits and (feature["proration_behavior"] == "always_invoice" or "trial_end" in params)
    invoice = preview_invoice(sandbox, copy.deepcopy(subscription), params) if is_due_now else None
    return Update(price, wanted, waits, params, invoice)


def make_update(sandbox: Sandbox, subscription: Resource, update: Update) -> Resource | None:
    """Make a change of plan, now or at the end of the period. Returns an invoice that it left unpaid, if any."""
    if update.waits:
        schedule_change(sandbox, subscription, price=update.price, quantity=update.quantity)
        return None
    changed = change_subscription(sandbox, subscription, update.params)
    invoice = sandbox.store.get(changed["latest_invoice"] or "", kind="invoice")
    return invoice if invoice and invoice["status"] == "open" else None


def can_cancel(subscription: Resource, configuration: Resource) -> bool:
    """Whether a subscription can be ended by its customer."""
    feature = configuration["features"]["subscription_cancel"]
    return bool(feature["enabled"] and subscription["cancel_at"] is None and subscription["status"] != "incomplete")


def cancel(sandbox: Sandbox, configuration: Resource, subscription: Resource) -> None:
    """End a subscription, at the end of its period or at once, as the configuration says.

    Raises:
        ApiError: it cannot be ended by its customer, or ends already.
    """
    if not can_cancel(subscription, configuration):
        raise ApiError("This plan cannot be cancelled here.")
    feature = configuration["features"]["subscription_cancel"]
    if feature["mode"] == "at_period_end":
        change_settings(sandbox, subscription, {"cancel_at_period_end": True})
    else:
        cancel_subscription(sandbox, subscription, prorate=feature["proration_behavior"] != "none")


def can_resume(subscription: Resource) -> bool:
    """Whether a subscription ends later and can go on after all."""
    return subscription["cancel_at"] is not None and subscription["status"] in ("active", "trialing", "past_due")


def resume(sandbox: Sandbox, subscription: Resource) -> None:
    """Let a subscription go on that was to end.

    Raises:
        ApiError: it was not to end.
    """
    if not can_resume(subscription):
        raise ApiError("This plan goes on anyway.")
    params = {"cancel_at_period_end": False} if subscription["cancel_at_period_end"] else {"cancel_at": ""}
    change_settings(sandbox, subscription, params)


def _must_wait(feature: Resource, item: Resource, price: Resource, quantity: int) -> bool:
    conditions = {condition["type"] for condition in feature["schedule_at_period_end"]["conditions"]}
    is_less = int(price["unit_amount"]) * quantity < item_amount(item)
    is_shorter = _days(price) < _days(item["price"])
    return ("decreasing_item_amount" in conditions and is_less) or ("shortening_interval" in conditions and is_shorter)


def _days(price: Resource) -> int:
    return _DAYS[price["recurring"]["interval"]] * int(price["recurring"]["interval_count"])


def _item(subscription: Resource) -> Resource:
    item: Resource = subscription["items"]["data"][0]
    return item
