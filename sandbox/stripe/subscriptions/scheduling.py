"""Changes that wait for the end of the period, as the portal makes them for downgrades."""

import copy

from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.subscriptions.items import plan_of


def schedule_change(sandbox: Sandbox, subscription: Resource, *, price: Resource, quantity: int | None = None) -> None:
    """Let a subscription's one item become another price at the end of its period, and tell of it."""
    before = copy.deepcopy(subscription)
    drop_schedule(sandbox, subscription)
    item = subscription["items"]["data"][0]
    next_quantity = quantity or item["quantity"]
    ends_at = item["current_period_end"]
    schedule: Resource = {
        "id": new_id("sub_sched"),
        "object": "subscription_schedule",
        "created": sandbox.now(),
        "customer": subscription["customer"],
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "phases": [
            _phase(item["price"]["id"], item["quantity"], start=item["current_period_start"], end=ends_at),
            _phase(price["id"], next_quantity, start=ends_at, end=None),
        ],
        "status": "active",
        "subscription": subscription["id"],
    }
    sandbox.store.put(schedule)
    emit_event(sandbox, "subscription_schedule.created", schedule)
    subscription["schedule"] = schedule["id"]
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")


def take_back_change(sandbox: Sandbox, subscription: Resource) -> None:
    """Let a subscription stay as it is, where a change waited for the end of the period, and tell of it."""
    before = copy.deepcopy(subscription)
    drop_schedule(sandbox, subscription)
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")


def drop_schedule(sandbox: Sandbox, subscription: Resource) -> None:
    """Forget the change that waits, if one does, and tell of that; the subscription is not saved here."""
    release_schedule(sandbox, subscription["schedule"])
    subscription["schedule"] = None


def release_schedule(sandbox: Sandbox, schedule_id: str | None) -> None:
    """End a schedule whose subscription goes on without it, unless it has ended."""
    schedule = sandbox.store.get(schedule_id or "")
    if schedule is None or schedule["status"] != "active":
        return
    released = {"released_at": sandbox.now(), "released_subscription": schedule["subscription"], "subscription": None}
    schedule |= {"status": "released", **released}
    sandbox.store.put(schedule)
    emit_event(sandbox, "subscription_schedule.released", schedule)


def take_scheduled_items(sandbox: Sandbox, subscription: Resource) -> None:
    """Make the change that waited for the end of the period; the subscription is not saved here."""
    schedule = sandbox.store.get(subscription["schedule"] or "")
    if schedule is None:
        return
    [changed] = schedule["phases"][1]["items"]
    price = sandbox.require("price", changed["price"])
    item = subscription["items"]["data"][0]
    item |= {"price": price, "plan": plan_of(price), "quantity": changed["quantity"]}
    sandbox.store.put({**schedule, "status": "completed", "subscription": None})
    subscription["schedule"] = None


def _phase(price_id: str, quantity: int, *, start: int, end: int | None) -> Resource:
    return {"items": [{"price": price_id, "quantity": quantity}], "start_date": start, "end_date": end}
