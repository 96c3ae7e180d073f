"""Subscriptions as rows, as if Stripe had been read, for tests of what follows from them."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from billing.models import BillingCustomer, Plan, Subscription
from billing.selectors.plan_limits import forget_limits

_numbers = itertools.count(1)


def subscribe(customer: BillingCustomer, plan: Plan | None, *, status: str = "active", **fields: Any) -> Subscription:
    """A subscription to one seat of the plan, in the middle of its month."""
    now: datetime = fields.pop("now", timezone.now())
    price = plan.prices.first() if plan else None
    forget_limits()
    terms = {
        "subscription_id": f"sub_test_{next(_numbers)}",
        "items": [{"item": "si_1", "price": price.stripe_price_id, "quantity": 1}] if price else [],
        "price_minor": price.amount_minor if price else 0,
        "currency": "usd",
        "interval": "month",
        "period_start": now - timedelta(days=15),
        "period_end": now + timedelta(days=15),
        "read_at": now,
    }
    return Subscription.objects.create(customer=customer, plan=plan, status=status, **{**terms, **fields})


def make_free(**limits: Any) -> Plan:
    """The Free plan."""
    forget_limits()
    return Plan.objects.create(slug="free", name="Free", rank=0, price_minor=0, credits=100, **limits)
