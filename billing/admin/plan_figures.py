"""The tiles of plans on the first page."""

from __future__ import annotations

from datetime import datetime

from billing.admin.base import list_address
from billing.admin.dashboard_figures import Part, Tile, list_in_period, show_sums
from billing.models import Subscription
from billing.selectors.dashboard import Period
from billing.selectors.plan_figures import read_churn, read_recurring_revenue


def plans_part(period: Period, now: datetime) -> Part:
    """What subscriptions bring in a month, and how many customers were lost."""
    revenue, churn = read_recurring_revenue(now=now), read_churn(period)
    trials = f", {revenue.trials:,} on trial" if revenue.trials else ""
    tiles = [
        Tile(
            label="Monthly recurring revenue (MRR)",
            value=show_sums(revenue.monthly),
            note=f"{revenue.subscriptions:,} paid subscriptions{trials}; before discounts and tax",
            address=list_address(Subscription, {"status__exact": "active"}),
        ),
        Tile(
            label="Churn",
            value="–" if churn.rate is None else f"{churn.rate} %",
            note=f"{churn.lost:,} of {churn.at_start:,} subscribers lost in the period",
            address=list_in_period(Subscription, period, "ended_at"),
        ),
    ]
    return Part(title="Plans", tiles=tiles)
