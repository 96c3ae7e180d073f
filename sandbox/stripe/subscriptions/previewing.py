"""What the next invoice would be, of a subscription as it is or as it would be after a change."""

import copy
from typing import Any

from sandbox.stripe.errors import ApiError
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.subscriptions.changing import plan_change
from sandbox.stripe.subscriptions.discounts import apply_discounts
from sandbox.stripe.subscriptions.ending import require_running
from sandbox.stripe.subscriptions.invoice_form import build_invoice, put_lines, tax_lines
from sandbox.stripe.subscriptions.invoicing import settle_with_balance
from sandbox.stripe.subscriptions.lines import pending_items, recurring_line
from sandbox.stripe.subscriptions.renewing import begin_period
from sandbox.stripe.subscriptions.scheduling import take_scheduled_items


def preview_invoice(sandbox: Sandbox, subscription: Resource, details: dict[str, Any]) -> Resource:
    """The next invoice, or the one that a change would make at once. It is saved nowhere.

    With ``always_invoice``, or where a period would start anew, it is the invoice of the change alone.

    Raises:
        ApiError: none will come, because the subscription ends.
    """
    require_running(subscription)
    planned = copy.deepcopy(subscription)
    pending = [item["_line"] for item in pending_items(sandbox, subscription["id"])]
    change = plan_change(sandbox, planned, details)
    is_now = details.get("proration_behavior") == "always_invoice" or change.restart_lines
    lines = [*copy.deepcopy(pending), *change.prorations, *change.restart_lines]
    first = planned["items"]["data"][0]
    period = (first["current_period_start"], sandbox.now() if is_now else first["current_period_end"])
    if not is_now:
        if planned["cancel_at_period_end"] and not lines:
            raise ApiError("No upcoming invoices for this subscription.", status=404, code="invoice_upcoming_none")
        if not details.get("items") and planned["schedule"]:
            _apply_schedule(sandbox, planned)
        begin_period(planned, at=period[1], restarts=False)
        renewed = [recurring_line(sandbox, planned, item) for item in planned["items"]["data"]]
        apply_discounts(sandbox, renewed, planned["discounts"])
        lines += renewed
    tax_lines(sandbox, planned, lines)
    customer = sandbox.require("customer", planned["customer"])
    invoice = build_invoice(sandbox, planned, customer=customer, invoice_id=new_id("upcoming_in"))
    put_lines(invoice, lines)
    settle_with_balance(invoice, balance=customer["balance"])
    invoice |= {
        "billing_reason": "subscription_update" if is_now else "upcoming",
        "period_start": period[0],
        "period_end": period[1],
        "next_payment_attempt": period[1],
    }
    return invoice


def _apply_schedule(sandbox: Sandbox, planned: Resource) -> None:
    """Make the change that waits for the end of the period, in this copy alone."""
    schedule = sandbox.require("subscription_schedule", planned["schedule"])
    take_scheduled_items(sandbox, planned)
    sandbox.store.put(schedule)
