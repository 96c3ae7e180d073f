"""Proration to the second: what is left of a period of the old price, and what it costs at the new one."""

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.calendar import say_day
from sandbox.stripe.subscriptions.discounts import percent_off
from sandbox.stripe.subscriptions.items import item_amount
from sandbox.stripe.subscriptions.lines import new_pending_line, product_name


def prorate(amount: int, *, seconds_left: int, period_seconds: int) -> int:
    """The part of an amount for the rest of its period, rounded half up to the minor unit."""
    return (2 * amount * seconds_left + period_seconds) // (2 * period_seconds)


def credit_unused(sandbox: Sandbox, subscription: Resource, item: Resource, *, at: int) -> Resource | None:
    """The negative line for what is left of an item's period, or None when nothing was paid for it."""
    amount = _rest_of(item_amount(item), item, at)
    taken = item.get("_percent_off", 0)  # what is given back is what was paid, after the discount
    amount, off = _split_discount(subscription, amount, taken)
    if amount == 0 or subscription["status"] == "trialing":
        return None
    return new_pending_line(
        sandbox,
        subscription,
        item,
        amount=-amount,
        discount_amounts=[{"amount": -off, "discount": item["_discount"]}] if off else [],
        description=f"Unused time on {_say_item(sandbox, item)} after {say_day(at)}",
        start=at,
        end=item["current_period_end"],
        credited=item.get("_billed_by"),
    )


def charge_rest(sandbox: Sandbox, subscription: Resource, item: Resource, *, at: int) -> Resource | None:
    """The line for an item from now to the end of its period, or None when it costs nothing."""
    amount = _rest_of(item_amount(item), item, at)
    taken = percent_off(sandbox, subscription["discounts"])
    item["_percent_off"] = taken
    item["_discount"] = next(iter(subscription["discounts"]), None)
    amount, off = _split_discount(subscription, amount, taken)
    if amount == 0 or subscription["status"] == "trialing":
        return None
    return new_pending_line(
        sandbox,
        subscription,
        item,
        amount=amount,
        discount_amounts=[{"amount": off, "discount": item["_discount"]}] if off else [],
        description=f"Remaining time on {_say_item(sandbox, item)} after {say_day(at)}",
        start=at,
        end=item["current_period_end"],
    )


def _split_discount(subscription: Resource, amount: int, percent: float) -> tuple[int, int]:
    """The amount of a line and what its discount takes off it, as the subscription's ``billing_mode`` has it.

    Itemized, a line is what it was before the discount, which stands beside it; included, it is what is left.
    """
    off = _percent_of(amount, percent)
    is_itemized = (subscription["billing_mode"].get("flexible") or {}).get("proration_discounts") == "itemized"
    return (amount, off) if is_itemized else (amount - off, 0)


def _rest_of(amount: int, item: Resource, at: int) -> int:
    start, end = item["current_period_start"], item["current_period_end"]
    return prorate(amount, seconds_left=max(0, end - at), period_seconds=max(1, end - start))


def _percent_of(amount: int, percent: float) -> int:
    return int(amount * percent / 100 + 0.5)


def _say_item(sandbox: Sandbox, item: Resource) -> str:
    name = product_name(sandbox, item)
    return name if item["quantity"] == 1 else f"{item['quantity']} × {name}"
