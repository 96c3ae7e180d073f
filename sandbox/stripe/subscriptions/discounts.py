"""Discounts of a subscription: from coupons and promotion codes, once, for some months or forever."""

from collections.abc import Sequence
from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.subscriptions.calendar import add_intervals


def new_discount(
    sandbox: Sandbox, given: dict[str, Any], *, subscription_id: str, customer_id: str, session_id: str | None = None
) -> Resource:
    """The discount that a coupon or a promotion code gives, saved.

    Raises:
        ApiError: it names neither, or one that does not exist.
    """
    promotion_id = given.get("promotion_code")
    coupon_id = given.get("coupon")
    if promotion_id:
        coupon_id = sandbox.require("promotion_code", promotion_id, param="discounts")["promotion"]["coupon"]
    if not coupon_id:
        raise ApiError("A discount needs a `coupon` or a `promotion_code`.", param="discounts")
    coupon = sandbox.require("coupon", coupon_id, param="discounts")
    now, months = sandbox.now(), coupon["duration_in_months"]
    monthly = {"interval": "month", "interval_count": 1}
    discount: Resource = {
        "id": new_id("di"),
        "object": "discount",
        "checkout_session": session_id,
        "customer": customer_id,
        "end": add_intervals(now, months, monthly) if months else None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": promotion_id,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": now,
        "subscription": subscription_id,
        "subscription_item": None,
    }
    sandbox.store.put(discount)
    sandbox.store.put({**coupon, "times_redeemed": coupon["times_redeemed"] + 1})
    return discount


def percent_off(sandbox: Sandbox, discounts: Sequence[str]) -> float:
    """How many per cent the discounts take off together, each from what the one before left."""
    left = 1.0
    for discount_id in discounts:
        discount = sandbox.require("discount", discount_id)
        if discount["end"] is None or discount["end"] > sandbox.now():
            left *= 1 - float(coupon_of(sandbox, discount)["percent_off"]) / 100
    return round((1 - left) * 100, 6)


def apply_discounts(sandbox: Sandbox, lines: list[Resource], discounts: Sequence[str]) -> bool:
    """Note in each line what the discounts take off it. Says whether they took anything off."""
    took = False
    for line in lines:
        left = line["amount"]
        if not line["discountable"] or left <= 0:
            continue
        for discount_id in discounts:
            amount = _round_half_up(left * percent_off(sandbox, [discount_id]) / 100)
            left -= amount
            if amount:
                line["discount_amounts"].append({"amount": amount, "discount": discount_id})
                took = True
    return took


def keep_lasting(sandbox: Sandbox, discounts: Sequence[str]) -> list[str]:
    """The discounts that still hold after an invoice that they took something off."""
    found = [sandbox.require("discount", discount_id) for discount_id in discounts]
    return [discount["id"] for discount in found if coupon_of(sandbox, discount)["duration"] != "once"]


def coupon_of(sandbox: Sandbox, discount: Resource) -> Resource:
    """The coupon behind a discount."""
    return sandbox.require("coupon", discount["source"]["coupon"])


def total_discounts(lines: list[Resource]) -> list[Resource]:
    """What each discount takes off an invoice."""
    totals: dict[str, int] = {}
    for line in lines:
        for taken in line["discount_amounts"]:
            totals[taken["discount"]] = totals.get(taken["discount"], 0) + taken["amount"]
    return [{"amount": amount, "discount": discount_id} for discount_id, amount in totals.items()]


def _round_half_up(value: float) -> int:
    return int(value + 0.5)
