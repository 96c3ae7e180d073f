"""How a subscription starts: from a paid checkout, over the API, or from the dashboard."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.events import emit_event
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource, new_id
from sandbox.stripe.subscriptions.billing import issue_bill, prepare_bill
from sandbox.stripe.subscriptions.calendar import DAY_SECONDS, period_end
from sandbox.stripe.subscriptions.discounts import new_discount
from sandbox.stripe.subscriptions.items import check_items, list_of_items, new_item, save_items
from sandbox.stripe.subscriptions.lines import recurring_line

WILL_END_SECONDS = 3 * DAY_SECONDS  # how long before its end a trial is warned of


@dataclass(frozen=True)
class Start:
    """What is to be started. ``items`` and ``discounts`` are as a request has them; ``fields`` are set as they are."""

    customer_id: str
    items: list[dict[str, Any]]
    trial_end: int | None = None
    discounts: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    payment_method_id: str | None = None
    session_id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


def start_subscription(sandbox: Sandbox, start: Start, *, paid_by: Resource | None = None) -> Resource:
    """A new subscription with its first invoice, which ``paid_by`` has paid already, or which is collected now.

    Without the money it is incomplete; in a trial its first invoice is over nothing.
    """
    subscription = _build_subscription(sandbox, start)
    is_trial = start.trial_end is not None
    subscription["status"] = "trialing" if is_trial else "active" if paid_by else "incomplete"
    items = subscription["items"]["data"]
    lines = [recurring_line(sandbox, subscription, item, is_trial=is_trial) for item in items]
    now = sandbox.now()
    bill = prepare_bill(sandbox, subscription, reason="subscription_create", lines=lines, period=(now, now))
    sandbox.store.put(subscription)
    save_items(sandbox, subscription)
    emit_event(sandbox, "customer.subscription.created", subscription)
    issue_bill(sandbox, subscription, bill, paid_by=paid_by)
    subscription = sandbox.require("subscription", subscription["id"])
    if start.trial_end is not None and start.trial_end - now <= WILL_END_SECONDS:
        tell_of_trial_end(sandbox, subscription)
    return subscription


def tell_of_trial_end(sandbox: Sandbox, subscription: Resource) -> None:
    """Warn that a trial ends soon, once."""
    subscription["_is_trial_end_told"] = True
    sandbox.store.put(subscription)
    emit_event(sandbox, "customer.subscription.trial_will_end", subscription)


def automatic_tax(*, is_enabled: bool) -> Resource:
    """Whether tax is computed, as a subscription shows it."""
    return {"disabled_reason": None, "enabled": is_enabled, "liability": {"type": "self"} if is_enabled else None}


def _build_subscription(sandbox: Sandbox, start: Start) -> Resource:
    now, subscription_id, trial_end = sandbox.now(), new_id("sub"), start.trial_end
    items = _new_items(sandbox, start, subscription_id)
    discounts = _new_discounts(sandbox, start, subscription_id)
    return {
        "id": subscription_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": automatic_tax(is_enabled=False),
        "billing_cycle_anchor": trial_end or now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now,
        "currency": items[0]["price"]["currency"],
        "customer": start.customer_id,
        "days_until_due": None,
        "default_payment_method": start.payment_method_id,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": discounts,
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": list_of_items(subscription_id, items),
        "latest_invoice": None,
        "livemode": False,
        "metadata": start.metadata,
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "on_subscription" if start.session_id else "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": now,
        "test_clock": None,
        "transfer_data": None,
        "trial_end": trial_end,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": now if trial_end else None,
        **start.fields,
    }


def _new_items(sandbox: Sandbox, start: Start, subscription_id: str) -> list[Resource]:
    now = sandbox.now()
    items = [
        new_item(sandbox, subscription_id=subscription_id, given=given, at=f"items[{index}]", start=now)
        for index, given in enumerate(start.items)
    ]
    check_items(items)
    recurring = items[0]["price"]["recurring"]
    for item in items:
        item["current_period_end"] = start.trial_end or period_end(anchor=now, start=now, recurring=recurring)
    return items


def _new_discounts(sandbox: Sandbox, start: Start, subscription_id: str) -> list[str]:
    ids = {"subscription_id": subscription_id, "customer_id": start.customer_id}
    return [new_discount(sandbox, given, **ids, session_id=start.session_id)["id"] for given in start.discounts]
