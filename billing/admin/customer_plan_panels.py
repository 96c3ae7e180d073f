"""A customer's subscriptions and invoices."""

from __future__ import annotations

from billing.admin.base import NOTHING, show_money
from billing.admin.links import link_to_stripe
from billing.admin.panels import NEWEST, Panel, link_to_page, make_panel, when
from billing.models import BillingCustomer, Invoice, Subscription


def build_plan_panels(*, customer: BillingCustomer) -> list[Panel]:
    return [_subscriptions(customer), _invoices(customer)]


def _subscriptions(customer: BillingCustomer) -> Panel:
    found = Subscription.objects.filter(customer=customer).select_related("plan", "next_plan").order_by("-pk")[:NEWEST]
    rows = [
        [
            link_to_page(one, one.plan.name if one.plan else "Unknown plan"),
            link_to_stripe(one.subscription_id),
            one.status,
            show_money(one.price_minor, one.currency),
            when(one.period_end),
            when(one.cancel_at),
            _next(one),
        ]
        for one in found
    ]
    return make_panel(
        title="Subscriptions",
        model=Subscription,
        headers=["Plan", "At Stripe", "Status", "Price", "Period ends", "Cancelled for", "Changes to"],
        rows=rows,
        empty="Never subscribed to a plan.",
        filters={"q": customer.public_id},
    )


def _next(subscription: Subscription) -> str:
    """The plan that follows, and when."""
    if subscription.changes_at is None:
        return NOTHING
    plan = subscription.next_plan.name if subscription.next_plan else "Unknown plan"
    return f"{plan}, {when(subscription.changes_at)}"


def _invoices(customer: BillingCustomer) -> Panel:
    found = Invoice.objects.filter(customer=customer).order_by("-pk")[:NEWEST]
    rows = [
        [
            link_to_page(one, one),
            link_to_stripe(one.invoice_id),
            one.status,
            show_money(one.total_minor, one.currency),
            "Plan" if one.subscription_id else "Pack",
            when(one.created_at) or NOTHING,
        ]
        for one in found
    ]
    return make_panel(
        title="Invoices",
        model=Invoice,
        headers=["Number", "At Stripe", "Status", "Total", "Of a", "Made"],
        rows=rows,
        empty="No invoice was made.",
        filters={"q": customer.public_id},
    )
