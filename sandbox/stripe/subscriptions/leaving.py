"""A customer who is deleted: their subscriptions end first."""

from sandbox.stripe.calls import Call
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.objects.customers import delete_customer, require_customer
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.ending import end_subscription
from sandbox.stripe.subscriptions.settings import subscriptions_of


def delete_customer_call(call: Call) -> Resource:
    """What is left of a deleted customer."""
    return remove_customer(call.sandbox, call.id)


def remove_customer(sandbox: Sandbox, customer_id: str) -> Resource:
    """Delete a customer, end what they subscribe to, and tell of it. Returns what is left of the customer."""
    require_customer(sandbox, customer_id)
    for subscription in subscriptions_of(sandbox, customer_id):
        end_subscription(sandbox, subscription)
    return delete_customer(sandbox, customer_id)
