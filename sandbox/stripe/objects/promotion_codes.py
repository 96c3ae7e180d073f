"""The two codes that the checkout page takes, and the coupons behind them."""

from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource

CODES = {"FREE100": 100, "HALF50": 50}


def find_promotion_code(sandbox: Sandbox, code: str) -> tuple[Resource, int] | None:
    """The promotion code that a customer typed and the per cent it takes off, or None."""
    code = code.strip().upper()
    if code not in CODES:
        return None
    promotion_id = f"promo_{code}"
    existing = sandbox.store.get(promotion_id)
    return existing or _new_promotion_code(sandbox, code, promotion_id), CODES[code]


def _new_promotion_code(sandbox: Sandbox, code: str, promotion_id: str) -> Resource:
    coupon: Resource = {
        "id": code,
        "object": "coupon",
        "amount_off": None,
        "created": sandbox.now(),
        "currency": None,
        "duration": "once",
        "duration_in_months": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "name": f"{CODES[code]} % off",
        "percent_off": float(CODES[code]),
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }
    promotion_code: Resource = {
        "id": promotion_id,
        "object": "promotion_code",
        "active": True,
        "code": code,
        "created": sandbox.now(),
        "customer": None,
        "expires_at": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": False,
            "minimum_amount": None,
            "minimum_amount_currency": None,
        },
        "times_redeemed": 0,
    }
    sandbox.store.put(coupon)
    sandbox.store.put(promotion_code)
    return promotion_code
