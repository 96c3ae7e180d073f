"""Monthly recurring revenue and churn, from subscriptions as they are mirrored."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingCustomer, Subscription
from billing.selectors.dashboard import Period
from billing.selectors.plan_figures import read_churn, read_recurring_revenue
from billing.tests.shop import make_customer

pytestmark = pytest.mark.django_db
NOVEMBER = Period(first=date(2026, 11, 1), last=date(2026, 11, 30))
OCTOBER = datetime(2026, 10, 5, tzinfo=UTC)


def subscribe(customer: BillingCustomer | None = None, **fields: Any) -> Subscription:
    terms = {"status": "active", "price_minor": 1900, "currency": "usd", "interval": "month", "started_at": OCTOBER}
    return Subscription.objects.create(
        customer=customer or make_customer(),
        subscription_id=f"sub_{Subscription.objects.count()}",
        read_at=timezone.now(),
        **{**terms, **fields},
    )


def test_a_year_counts_a_twelfth_and_trials_and_ended_ones_nothing() -> None:
    now = timezone.now()
    subscribe()
    subscribe(price_minor=5700)
    subscribe(price_minor=10_000, interval="year")
    subscribe(price_minor=10_000, interval="year")
    subscribe(currency="eur", price_minor=900)
    subscribe(status="trialing")
    subscribe(status="canceled", ended_at=now)
    subscribe(status="past_due", past_due_since=now)

    revenue = read_recurring_revenue(now=now)

    assert revenue.monthly == {"eur": 900, "usd": 1900 + 5700 + 1667 + 1900}
    assert (revenue.subscriptions, revenue.trials) == (6, 1)


def test_churn_counts_customers_who_are_gone_and_not_those_who_changed() -> None:
    gone, changed = make_customer(), make_customer()
    middle = datetime(2026, 11, 15, tzinfo=UTC)
    subscribe(gone, status="canceled", ended_at=middle)
    subscribe(changed, status="canceled", ended_at=middle)
    subscribe(changed, started_at=middle)
    subscribe()
    subscribe(status="canceled", ended_at=datetime(2026, 12, 2, tzinfo=UTC))
    subscribe(started_at=middle, status="canceled", ended_at=middle)
    subscribe(status="incomplete_expired")

    churn = read_churn(NOVEMBER)

    assert (churn.at_start, churn.lost, churn.rate) == (4, 1, Decimal("25.0"))


def test_nobody_subscribed_is_no_rate() -> None:
    assert read_churn(NOVEMBER).rate is None
    assert read_recurring_revenue(now=timezone.now()).monthly == {}
