"""A change of what is sold: other prices, other quantities, a trial that ends now, a period that starts anew."""

import copy
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata
from sandbox.stripe.subscriptions.billing import issue_bill, prepare_bill
from sandbox.stripe.subscriptions.calendar import read_time, same_interval
from sandbox.stripe.subscriptions.discounts import new_discount
from sandbox.stripe.subscriptions.ending import require_running
from sandbox.stripe.subscriptions.items import (
    check_items,
    list_of_items,
    new_item,
    plan_of,
    recurring_price,
    save_items,
)
from sandbox.stripe.subscriptions.lines import pending_items, recurring_line, save_pending
from sandbox.stripe.subscriptions.prorating import charge_rest, credit_unused
from sandbox.stripe.subscriptions.renewing import begin_period
from sandbox.stripe.subscriptions.scheduling import release_schedule
from sandbox.stripe.subscriptions.settings import apply_settings


@dataclass
class Change:
    """What a change costs: prorations, and, where a period starts anew, the lines of that period."""

    prorations: list[Resource] = field(default_factory=list)
    restart_lines: list[Resource] = field(default_factory=list)


def change_subscription(sandbox: Sandbox, subscription: Resource, params: dict[str, Any]) -> Resource:
    """Change a subscription as a request describes it, bill what is to be billed now, and tell of it. Returns it.

    Raises:
        ApiError: it has ended, or something in the request cannot be.
    """
    require_running(subscription)
    before = copy.deepcopy(subscription)
    started = subscription["items"]["data"][0]["current_period_start"]
    apply_settings(sandbox, subscription, params)
    if "discounts" in params:
        _change_discounts(sandbox, subscription, params["discounts"] or [])
    change = plan_change(sandbox, subscription, params)
    save_pending(sandbox, subscription, change.prorations)
    is_invoiced = params.get("proration_behavior") == "always_invoice" and pending_items(sandbox, subscription["id"])
    bill = None
    if change.restart_lines or is_invoiced:
        period, lines = (started, sandbox.now()), change.restart_lines
        bill = prepare_bill(sandbox, subscription, reason="subscription_update", lines=lines, period=period)
    save_items(sandbox, subscription)
    if subscription["schedule"] is None:
        release_schedule(sandbox, before["schedule"])
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")
    if bill is not None:
        issue_bill(sandbox, subscription, bill)
    return sandbox.require("subscription", subscription["id"])


def plan_change(sandbox: Sandbox, subscription: Resource, params: dict[str, Any]) -> Change:
    """Change the items and the period of a subscription, and say what that costs. Nothing is saved here."""
    change = Change()
    prorates = params.get("proration_behavior", "create_prorations") != "none"
    prorates = prorates and subscription["status"] != "trialing"  # nothing was paid for a trial
    at = int(params.get("proration_date", sandbox.now()))
    restarts = params.get("billing_cycle_anchor", {}).get("type") == "now"
    if "trial_end" in params:
        ends_at = read_time(params["trial_end"])
        restarts = _change_trial(sandbox, subscription, ends_at, change, prorates=prorates) or restarts
    if params.get("items"):
        restarts = _change_items(sandbox, subscription, params["items"], change, at, prorates=prorates) or restarts
    elif restarts and prorates:
        change.prorations += _lines(credit_unused(sandbox, subscription, item, at=at) for item in _items(subscription))
    if restarts:
        begin_period(subscription, at=sandbox.now(), restarts=True)
        change.restart_lines = [recurring_line(sandbox, subscription, item) for item in _items(subscription)]
    return change


def _change_discounts(sandbox: Sandbox, subscription: Resource, given: list[dict[str, Any]]) -> None:
    """Replace the discounts; one that is named by its own id stays."""
    kept = [one["discount"] for one in given if one.get("discount") in subscription["discounts"]]
    ids = {"subscription_id": subscription["id"], "customer_id": subscription["customer"]}
    new = [new_discount(sandbox, one, **ids)["id"] for one in given if "discount" not in one]
    subscription["discounts"] = [*kept, *new]


def _change_items(
    sandbox: Sandbox, subscription: Resource, given: list[dict[str, Any]], change: Change, at: int, *, prorates: bool
) -> bool:
    """Change the items. Says whether a new period must start, because they are billed in another interval now."""
    if subscription["status"] == "incomplete":
        raise ApiError("The items of an incomplete subscription cannot be changed.", param="items")
    old = copy.deepcopy(_items(subscription))
    items = {item["id"]: item for item in _items(subscription)}
    for index, wanted in enumerate(given):
        _change_item(sandbox, subscription, items, wanted, f"items[{index}]")
    check_items(list(items.values()))
    subscription["items"] = list_of_items(subscription["id"], list(items.values()))
    if [_key(item) for item in old] == [_key(item) for item in items.values()]:
        return False
    subscription["schedule"] = None
    current = _items(subscription)
    restarts = subscription["status"] != "trialing" and not same_interval(old[0]["price"], current[0]["price"])
    if prorates:
        kept = {} if restarts else {item["id"]: _key(item) for item in current}
        left = [item for item in old if kept.get(item["id"]) != _key(item)]
        known = {item["id"]: _key(item) for item in old}
        came = [] if restarts else [item for item in current if known.get(item["id"]) != _key(item)]
        change.prorations += _lines(credit_unused(sandbox, subscription, item, at=at) for item in left)
        change.prorations += _lines(charge_rest(sandbox, subscription, item, at=at) for item in came)
    return restarts


def _change_item(
    sandbox: Sandbox, subscription: Resource, items: dict[str, Resource], wanted: dict[str, Any], at: str
) -> None:
    if "id" not in wanted:
        first = next(iter(items.values()))
        added = new_item(
            sandbox,
            subscription_id=subscription["id"],
            given=wanted,
            at=at,
            start=first["current_period_start"],
            end=first["current_period_end"],
        )
        items[added["id"]] = added
        return
    item = items.get(wanted["id"])
    if item is None:
        raise ApiError(f"No such subscription item: '{wanted['id']}'", code="resource_missing", param=f"{at}[id]")
    if wanted.get("deleted"):
        del items[item["id"]]
        return
    if "price" in wanted or "price_data" in wanted:
        price = recurring_price(sandbox, wanted, at)
        item |= {"price": price, "plan": plan_of(price)}
    if wanted.get("quantity", 1) < 1:
        raise ApiError("This value must be greater than or equal to 1.", param=f"{at}[quantity]")
    item["quantity"] = wanted.get("quantity", item["quantity"])
    item["metadata"] = merge_metadata(item["metadata"], wanted.get("metadata"))


def _change_trial(sandbox: Sandbox, subscription: Resource, ends_at: object, change: Change, *, prorates: bool) -> bool:
    """End a trial now, or let it end at another time. Says whether a paid period starts now."""
    now, is_trial = sandbox.now(), bool(subscription["status"] == "trialing")
    if ends_at == "now":
        if is_trial:
            subscription |= {"status": "active", "trial_end": now}
        return is_trial
    if not isinstance(ends_at, int) or ends_at <= now:
        raise ApiError("Invalid trial_end: must be in the future.", param="trial_end")
    if not is_trial:
        if prorates:
            unused = (credit_unused(sandbox, subscription, item, at=now) for item in _items(subscription))
            change.prorations += _lines(unused)
        subscription |= {"status": "trialing", "trial_start": now}
    subscription |= {"trial_end": ends_at, "billing_cycle_anchor": ends_at, "_is_trial_end_told": False}
    for item in _items(subscription):
        item["current_period_start"] = item["current_period_start"] if is_trial else now
        item["current_period_end"] = ends_at
    return False


def _items(subscription: Resource) -> list[Resource]:
    items: list[Resource] = subscription["items"]["data"]
    return items


def _key(item: Resource) -> tuple[str, str, int]:
    return item["id"], item["price"]["id"], item["quantity"]


def _lines(found: Any) -> list[Resource]:
    return [line for line in found if line is not None]
