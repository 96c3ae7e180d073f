"""What an attempt to collect an invoice does to its subscription."""

import copy

from sandbox.stripe.charging.attempts import Taking
from sandbox.stripe.events import save_change
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.collecting import collect_invoice
from sandbox.stripe.subscriptions.ending import end_subscription
from sandbox.stripe.subscriptions.invoicing import invoices_of
from sandbox.stripe.subscriptions.policy import read_policy

_OWING = ("incomplete", "past_due", "unpaid")


def collect_and_follow(sandbox: Sandbox, invoice: Resource, *, payment_method: Resource | None = None) -> Taking:
    """Try to collect an open invoice, and let its subscription follow."""
    taking = collect_invoice(sandbox, invoice, payment_method=payment_method)
    follow_payment(sandbox, invoice, is_paid=taking.outcome == "paid")
    return taking


def follow_payment(sandbox: Sandbox, invoice: Resource, *, is_paid: bool) -> None:
    """Let the subscription of an invoice become active when nothing is owed any more, or past due when something is."""
    subscription = subscription_of(sandbox, invoice)
    if subscription is None or subscription["status"] in ("canceled", "incomplete_expired"):
        return
    before = copy.deepcopy(subscription)
    if is_paid and subscription["status"] in _OWING:
        still_open = [one for one in invoices_of(sandbox, subscription, "open") if one["id"] != invoice["id"]]
        subscription["status"] = "past_due" if still_open else "active"
    if not is_paid and subscription["status"] in ("active", "trialing"):
        subscription["status"] = "past_due"
    save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")


def follow_release(sandbox: Sandbox, invoice: Resource) -> None:
    """Let the subscription of an invoice that nobody has to pay any more become active, as after a payment."""
    subscription = subscription_of(sandbox, invoice)
    if subscription is not None and subscription["status"] in ("past_due", "unpaid"):
        follow_payment(sandbox, invoice, is_paid=True)


def retry_invoice(sandbox: Sandbox, invoice: Resource) -> None:
    """Try a failed invoice again by itself; after the last try its subscription ends as the policy says."""
    taking = collect_and_follow(sandbox, invoice)
    subscription = subscription_of(sandbox, invoice)
    if taking.outcome == "paid" or invoice["_retries"] or subscription is None:
        return
    match read_policy(sandbox).then:
        case "canceled":
            end_subscription(sandbox, subscription, reason="payment_failed")
        case "unpaid":
            before = copy.deepcopy(subscription)
            subscription["status"] = "unpaid"
            save_change(sandbox, subscription, before=before, event_type="customer.subscription.updated")


def subscription_of(sandbox: Sandbox, invoice: Resource) -> Resource | None:
    """The subscription that an invoice is for, or None."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return sandbox.store.get(details.get("subscription") or "", kind="subscription")
