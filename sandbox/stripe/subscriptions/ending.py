"""How a subscription ends: at once, or because nobody paid."""

import copy

from sandbox.stripe.errors import ApiError
from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.subscriptions.invoicing import invoices_of, save_invoice, void_invoice
from sandbox.stripe.subscriptions.lines import save_pending
from sandbox.stripe.subscriptions.prorating import credit_unused

_ENDED = ("canceled", "incomplete_expired")


def require_running(subscription: Resource) -> None:
    """Refuse a subscription that has ended."""
    if subscription["status"] in _ENDED:
        message = f"No such subscription: '{subscription['id']}'. It has ended ({subscription['status']})."
        raise ApiError(message, status=404, code="resource_missing", param="id")


def end_subscription(sandbox: Sandbox, subscription: Resource, *, reason: str | None = None) -> None:
    """End a subscription now and tell of it. Its open invoices are not collected by themselves any more."""
    require_running(subscription)
    now = sandbox.now()
    details = subscription["cancellation_details"]
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or now,
        "ended_at": now,
        "cancellation_details": {**details, "reason": reason or details["reason"] or "cancellation_requested"},
    }
    sandbox.store.put(subscription)
    for invoice in invoices_of(sandbox, subscription, "draft", "open"):
        invoice |= {"auto_advance": False, "next_payment_attempt": None, "_retries": []}
        save_invoice(sandbox, invoice)
    emit_event(sandbox, "customer.subscription.deleted", subscription)


def cancel_subscription(
    sandbox: Sandbox, subscription: Resource, *, details: Resource | None = None, prorate: bool = False
) -> None:
    """End a subscription now because somebody asked for it. ``prorate`` gives back what is left of its period."""
    require_running(subscription)
    if prorate:
        now = sandbox.now()
        unused = [credit_unused(sandbox, subscription, item, at=now) for item in subscription["items"]["data"]]
        save_pending(sandbox, subscription, [line for line in unused if line is not None])
    if details:
        subscription["cancellation_details"] = {**subscription["cancellation_details"], **details}
    end_subscription(sandbox, subscription)


def expire_incomplete(sandbox: Sandbox, subscription: Resource) -> None:
    """End a subscription whose first invoice nobody paid within 23 hours."""
    before = copy.deepcopy(subscription)
    for invoice in invoices_of(sandbox, subscription, "open"):
        void_invoice(sandbox, invoice)
    subscription |= {"status": "incomplete_expired", "ended_at": sandbox.now()}
    sandbox.store.put(subscription)
    emit_event(sandbox, "customer.subscription.updated", subscription, before=before)
