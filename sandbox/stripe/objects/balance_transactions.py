"""Balance transactions: what a charge did to the balance at Stripe, with Stripe's fee."""

from sandbox.stripe.calls import Call
from sandbox.stripe.lists import list_page
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id

_FEE_PER_MILLE, _FEE_FIXED = 29, 30  # 2.9 % and 30 minor units
_AVAILABLE_AFTER_SECONDS = 2 * 24 * 3600


def new_balance_transaction(sandbox: Sandbox, *, charge: Resource) -> Resource:
    """The movement of a charge that succeeded, saved."""
    amount, currency = charge["amount"], charge["currency"]
    fee = min(amount, (amount * _FEE_PER_MILLE + 500) // 1000 + _FEE_FIXED)
    is_card = charge["payment_method_details"]["type"] == "card"
    movement: Resource = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": sandbox.now() + _AVAILABLE_AFTER_SECONDS,
        "balance_type": "payments",
        "created": sandbox.now(),
        "currency": currency,
        "description": charge["description"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": currency,
                "description": "Stripe processing fees",
                "type": "stripe_fee",
            }
        ],
        "net": amount - fee,
        "reporting_category": "charge",
        "source": charge["id"],
        "status": "pending",
        "type": "charge" if is_card else "payment",
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
