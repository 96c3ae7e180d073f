"""What the first page says of usage: what was charged for it, and what it cost us."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from billing.admin.base import NOTHING, show_money
from billing.admin.dashboard import add_part
from billing.admin.dashboard_figures import Part, Tile, in_cents, list_in_period
from billing.selectors.dashboard import Period
from usage.models import UsageEvent
from usage.selectors.margin import UsageMargin, read_usage_margin


def usage_part(period: Period, now: datetime) -> Part:
    """Charge, cost and margin of metered work, and what was served without a price of its own."""
    margin = read_usage_margin(since=period.since, until=period.until)
    charged, cost = in_cents(margin.charged), round(margin.cost_usd * 100)
    tiles = [
        Tile(
            label="Margin of usage",
            value=_percent(charged, cost),
            note=f"{show_money(charged, 'usd')} charged at list price, {show_money(cost, 'usd')} cost",
            address=list_in_period(UsageEvent, period, "occurred_at"),
            needs_care=charged < cost,
        )
    ]
    if margin.at_default_price:
        tiles.append(_default_price_tile(margin, period))
    return Part(title="Credits", tiles=tiles)


def _percent(charged: int, cost: int) -> str:
    return f"{Decimal(charged - cost) * 100 / charged:.1f} %" if charged else NOTHING


def _default_price_tile(margin: UsageMargin, period: Period) -> Tile:
    return Tile(
        label="Calls at the default price",
        value=f"{margin.at_default_price:,}",
        note=f"of {margin.calls:,}: give their models a price",
        address=list_in_period(UsageEvent, period, "occurred_at", is_default_price__exact=1),
        needs_care=True,
    )


add_part(UsageEvent, usage_part)
