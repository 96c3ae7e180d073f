"""Mirrors subscriptions: what was read counts as of when its reading began. Credits follow paid lines, not this."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from billing import conf
from billing.gateway.plan_facts import SubscriptionFacts
from billing.ledger.locking import lock_accounts
from billing.models import BillingCustomer, Plan, PlanPrice, Subscription, SubscriptionStatus
from billing.services.convergence import Convergence
from billing.services.parked_events import wake_parked_events
from billing.services.plan_invoices import find_customer_at_stripe
from billing.services.plan_lives import end_with_subscription
from billing.services.subscription_notices import announce_change, announce_trial_end
from billing.services.trial_credits import grant_trial_credits

TRIAL_WILL_END = "customer.subscription.trial_will_end"


def needs_card(*, facts: SubscriptionFacts) -> bool:
    """Whether the card behind a subscription must be known: its trial brings credits, once per card."""
    plan = plan_of(facts=facts)
    return bool(facts.payment_method_id and _is_on_trial(facts) and plan and plan.trial_credits)


def store_subscription(
    *, facts: SubscriptionFacts, read_at: datetime, event_type: str = "", card_fingerprint: str = ""
) -> Convergence:
    """Write what was read, unless a reading that began later is there already.

    Call inside `transaction.atomic()`; takes the lock on the customer's balance.
    """
    if facts.livemode is not conf.is_live():
        return Convergence.CONTRADICTED
    customer = find_customer_at_stripe(stripe_customer_id=facts.customer_id)
    if customer is None:
        return Convergence.UNKNOWN
    lock_accounts(customer_ids=[customer.pk])
    known = Subscription.objects.select_for_update(of=("self",)).filter(subscription_id=facts.id).first()
    if event_type == TRIAL_WILL_END:
        announce_trial_end(customer_id=customer.pk, facts=facts, plan=plan_of(facts=facts))
    if known is not None and known.read_at > read_at:
        return Convergence.CONVERGED
    before = None if known is None else Subscription.objects.select_related("plan").get(pk=known.pk)
    after = _write(customer=customer, known=known, facts=facts, read_at=read_at)
    announce_change(before=before, after=after)
    if after.ended_at is not None and (before is None or before.ended_at is None):
        end_with_subscription(customer_id=customer.pk, subscription_id=facts.id)
    if _is_on_trial(facts) and after.plan is not None and after.plan.trial_credits:
        grant_trial_credits(customer=customer, subscription=after, plan=after.plan, card_fingerprint=card_fingerprint)
    wake_parked_events(named=[facts.id])
    return Convergence.CONVERGED


def plan_of(*, facts: SubscriptionFacts) -> Plan | None:
    """The plan of a subscription: of its items' prices the one that ranks highest."""
    return _highest_plan(item.price_id for item in facts.items)


def next_plan_of(*, facts: SubscriptionFacts) -> Plan | None:
    """The plan that the change brings which waits; None where none waits, or where its prices are of no plan."""
    return _highest_plan(facts.next_price_ids) if facts.next_price_ids else None


def _highest_plan(price_ids: Iterable[str]) -> Plan | None:
    prices = PlanPrice.objects.filter(stripe_price_id__in=list(price_ids))
    best = prices.select_related("plan").order_by("-plan__rank", "pk").first()
    return best.plan if best else None


def _is_on_trial(facts: SubscriptionFacts) -> bool:
    return facts.status == SubscriptionStatus.TRIALING


def _write(
    *, customer: BillingCustomer, known: Subscription | None, facts: SubscriptionFacts, read_at: datetime
) -> Subscription:
    row = known or Subscription(subscription_id=facts.id)
    row.customer, row.plan, row.status, row.read_at = customer, plan_of(facts=facts), facts.status, read_at
    row.next_plan, row.changes_at = next_plan_of(facts=facts), facts.changes_at
    row.items = [_item(one) for one in facts.items]
    row.quantity = sum(item.quantity for item in facts.items) if facts.items else 1
    row.price_minor = sum((item.unit_amount_minor or 0) * item.quantity for item in facts.items)
    row.currency = facts.currency
    row.interval = next((item.interval for item in facts.items), "")
    row.period_start = min((item.period_start for item in facts.items if item.period_start), default=None)
    row.period_end = facts.period_end
    row.trial_end, row.cancel_at, row.canceled_at = facts.trial_end, facts.cancel_at, facts.canceled_at
    row.ended_at, row.started_at, row.pause_behavior = facts.ended_at, facts.started_at, facts.pause_behavior
    is_past_due = facts.status in (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)
    row.past_due_since = (row.past_due_since or read_at) if is_past_due else None
    row.save()
    return row


def _item(item: Any) -> dict[str, Any]:
    return {
        "item": item.id,
        "price": item.price_id,
        "quantity": item.quantity,
        "period_start": item.period_start.isoformat() if item.period_start else None,
        "period_end": item.period_end.isoformat() if item.period_end else None,
    }
