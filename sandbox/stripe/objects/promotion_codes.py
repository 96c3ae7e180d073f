"""Promotion codes: those that the checkout page always takes, and those made over the API."""

from typing import Any

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import save_change
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.coupons import new_coupon
from sandbox.stripe.records import Resource, merge_metadata, new_id, random_word
from sandbox.stripe.store import Condition

# The code, what it takes off, and how long. Once is the first invoice of a subscription.
CODES = {"FREE100": (100, "once"), "HALF50": (50, "once"), "ALWAYS50": (50, "forever"), "ALWAYSFREE": (100, "forever")}


def find_promotion_code(sandbox: Sandbox, code: str) -> tuple[Resource, float] | None:
    """The promotion code that a customer typed and the per cent it takes off, or None."""
    code = code.strip().upper()
    found = [one for one in sandbox.store.find("promotion_code") if one["code"].upper() == code and one["active"]]
    if not found and code in CODES:
        found = [_new_standing_code(sandbox, code)]
    if not found:
        return None
    coupon = sandbox.require("coupon", found[0]["promotion"]["coupon"])
    return (found[0], coupon["percent_off"]) if coupon["valid"] else None


def _new_standing_code(sandbox: Sandbox, code: str) -> Resource:
    percent_off, duration = CODES[code]
    coupon = sandbox.store.get(code, kind="coupon") or new_coupon(
        sandbox,
        params={"id": code, "name": f"{percent_off} % off", "percent_off": percent_off, "duration": duration},
    )
    return _new_promotion_code(sandbox, promotion_id=f"promo_{code}", code=code, coupon_id=coupon["id"], params={})


def _new_promotion_code(
    sandbox: Sandbox, *, promotion_id: str, code: str, coupon_id: str, params: dict[str, Any]
) -> Resource:
    promotion_code: Resource = {
        "id": promotion_id,
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": sandbox.now(),
        "customer": params.get("customer"),
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merge_metadata({}, params.get("metadata")),
        "promotion": {"coupon": coupon_id, "type": "coupon"},
        "restrictions": {
            "first_time_transaction": False,
            "minimum_amount": None,
            "minimum_amount_currency": None,
        },
        "times_redeemed": 0,
    }
    sandbox.store.put(promotion_code)
    return promotion_code


def create_promotion_code(call: Call) -> Resource:
    """A new promotion code for a coupon."""
    if unknown := call.params.keys() & {"restrictions"}:
        raise ApiError("The sandbox knows no restrictions of promotion codes.", param=min(unknown))
    promotion = call.params.get("promotion", {})
    coupon = call.sandbox.require("coupon", promotion.get("coupon", ""), param="promotion[coupon]")
    code = call.params.get("code") or random_word(8).upper()
    if find_promotion_code(call.sandbox, code):
        raise ApiError("An active promotion code with this `code` already exists.", param="code")
    return _new_promotion_code(
        call.sandbox, promotion_id=new_id("promo"), code=code, coupon_id=coupon["id"], params=call.params
    )


def retrieve_promotion_code(call: Call) -> Resource:
    """A promotion code."""
    return call.find("promotion_code")


def update_promotion_code(call: Call) -> Resource:
    """The promotion code, switched on or off or with other metadata."""
    promotion_code = call.find("promotion_code")
    before = dict(promotion_code)
    promotion_code["active"] = call.params.get("active", promotion_code["active"])
    promotion_code["metadata"] = merge_metadata(promotion_code["metadata"], call.params.get("metadata"))
    save_change(call.sandbox, promotion_code, before=before, event_type="promotion_code.updated")
    return promotion_code


def list_promotion_codes(call: Call) -> Resource:
    """A page of promotion codes."""
    filters = {name: name for name in ("active", "code", "created", "customer")}
    conditions = [Condition("promotion.coupon", "=", call.params["coupon"])] if "coupon" in call.params else []
    return list_page(
        call.sandbox, kind="promotion_code", url=call.path, params=call.params, filters=filters, conditions=conditions
    )
