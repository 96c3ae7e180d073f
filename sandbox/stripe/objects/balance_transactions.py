"""Balance transactions: what moved the balance at Stripe, with Stripe's fee."""

from sandbox.stripe.calls import Call
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id

_FEE_PER_MILLE, _FEE_FIXED = 29, 30  # 2.9 % and 30 minor units
_AVAILABLE_AFTER_SECONDS = 2 * 24 * 3600


def new_balance_transaction(sandbox: Sandbox, *, charge: Resource) -> Resource:
    """The movement of a charge that succeeded, saved."""
    amount = charge["amount"]
    return new_movement(
        sandbox,
        kind="charge" if charge["payment_method_details"]["type"] == "card" else "payment",
        category="charge",
        amount=amount,
        currency=charge["currency"],
        source=charge["id"],
        description=charge["description"],
        fee=processing_fee(amount),
        fee_description="Stripe processing fees",
    )


def processing_fee(amount: int) -> int:
    """What Stripe keeps of a charge."""
    return min(amount, (amount * _FEE_PER_MILLE + 500) // 1000 + _FEE_FIXED)


def new_movement(
    sandbox: Sandbox,
    *,
    kind: str,
    category: str,
    amount: int,
    currency: str,
    source: str,
    description: str | None,
    fee: int = 0,
    fee_description: str = "",
) -> Resource:
    """A movement of the balance, saved. ``amount`` is positive when money comes; ``fee`` is what Stripe keeps of it."""
    fees = [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": fee_description,
            "type": "stripe_fee",
        }
    ]
    movement: Resource = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": sandbox.now() + _AVAILABLE_AFTER_SECONDS,
        "balance_type": "payments",
        "created": sandbox.now(),
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending",
        "type": kind,
    }
    sandbox.store.put(movement)
    return movement


def retrieve_balance_transaction(call: Call) -> Resource:
    """A balance transaction."""
    return call.find("balance_transaction")


def list_balance_transactions(call: Call) -> Resource:
    """A page of balance transactions."""
    filters = {name: name for name in ("created", "currency", "payout", "source", "type")}
    return list_page(call.sandbox, kind="balance_transaction", url=call.path, params=call.params, filters=filters)
