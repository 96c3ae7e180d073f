"""The balance of a customer over the API: what moved it, and moving it."""

from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError
from sandbox.stripe.lists import list_page
from sandbox.stripe.objects.customers import require_customer
from sandbox.stripe.records import Resource, merge_metadata
from sandbox.stripe.store import Condition
from sandbox.stripe.subscriptions.balances import move_balance


def create_balance_transaction(call: Call) -> Resource:
    """A movement of a customer's balance, as somebody makes it by hand; a negative one is credit."""
    customer, params = require_customer(call.sandbox, call.ids["customer"]), call.params
    movement = move_balance(
        call.sandbox, customer["id"], amount=params["amount"], kind="adjustment", currency=params["currency"]
    )
    movement["description"] = params.get("description")
    movement["metadata"] = merge_metadata({}, params.get("metadata"))
    call.sandbox.store.put(movement)
    return movement


def retrieve_balance_transaction(call: Call) -> Resource:
    """A movement of the balance of the customer that the path names."""
    movement = call.sandbox.require("customer_balance_transaction", call.ids["transaction"])
    if movement["customer"] != call.ids["customer"]:
        raise ApiError(f"No such balance transaction: '{movement['id']}'", status=404, code="resource_missing")
    return movement


def list_balance_transactions(call: Call) -> Resource:
    """A page of what moved a customer's balance."""
    customer = require_customer(call.sandbox, call.ids["customer"])
    return list_page(
        call.sandbox,
        kind="customer_balance_transaction",
        url=call.path,
        params=call.params,
        filters={"created": "created", "invoice": "invoice"},
        conditions=[Condition("customer", "=", customer["id"])],
    )
