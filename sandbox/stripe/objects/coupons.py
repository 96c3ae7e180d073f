"""Coupons: so many per cent off, once, for some months or forever."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event, save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, merge_metadata, random_word
from sandbox.stripe.store import NOT_DELETED


def new_coupon(sandbox: Sandbox, *, params: dict[str, Any]) -> Resource:
    """A new coupon, saved.

    Raises:
        ApiError: it takes off an amount instead of a share, or its id is taken.
    """
    if "percent_off" not in params:
        raise ApiError("The sandbox knows coupons with `percent_off` only.", param="percent_off")
    if not 0 < params["percent_off"] <= 100:
        raise ApiError("Percent off must be greater than 0 and at most 100.", param="percent_off")
    duration, months = params.get("duration", "once"), params.get("duration_in_months")
    if (duration == "repeating") != (months is not None):
        raise ApiError("`duration_in_months` belongs to the duration `repeating`.", param="duration_in_months")
    coupon_id = params.get("id") or random_word(8)
    if sandbox.store.get(coupon_id):
        raise ApiError("Coupon already exists.", code="resource_already_exists", param="id")
    coupon: Resource = {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": None,
        "created": sandbox.now(),
        "currency": None,
        "duration": duration,
        "duration_in_months": months,
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merge_metadata({}, params.get("metadata")),
        "name": params.get("name"),
        "percent_off": float(params["percent_off"]),
        "redeem_by": params.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    sandbox.store.put(coupon)
    return coupon


def create_coupon(call: Call) -> Resource:
    """A new coupon."""
    coupon = new_coupon(call.sandbox, params=call.params)
    emit_event(call.sandbox, "coupon.created", coupon)
    return coupon


def retrieve_coupon(call: Call) -> Resource:
    """A coupon."""
    return call.find("coupon")


def update_coupon(call: Call) -> Resource:
    """The coupon with another name or metadata."""
    coupon = call.find("coupon")
    before = dict(coupon)
    coupon["name"] = call.params.get("name", coupon["name"])
    coupon["metadata"] = merge_metadata(coupon["metadata"], call.params.get("metadata"))
    save_change(call.sandbox, coupon, before=before, event_type="coupon.updated")
    return coupon


def delete_coupon(call: Call) -> Resource:
    """What is left of a deleted coupon; discounts that it gave go on."""
    coupon = call.find("coupon")
    call.sandbox.store.put({**coupon, "valid": False})
    emit_event(call.sandbox, "coupon.deleted", coupon)
    return {"id": coupon["id"], "object": "coupon", "deleted": True}


def list_coupons(call: Call) -> Resource:
    """A page of coupons."""
    return list_page(
        call.sandbox,
        kind="coupon",
        url=call.path,
        params=call.params,
        filters={"created": "created"},
        conditions=[NOT_DELETED],
    )
