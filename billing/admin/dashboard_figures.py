"""The tiles of the first page: each a figure, what it says, and the list behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.utils.timesince import timesince

from billing import conf
from billing.admin.base import list_address, show_credits, show_money
from billing.admin.dashboard_charts import Chart, build_chart
from billing.kinds import FREE_PRIORITY, GRANT_PRIORITIES
from billing.models import (
    CreditBalance,
    CreditGrant,
    EventState,
    LedgerEntry,
    Payment,
    PaymentDispute,
    PaymentRefund,
    StripeEvent,
)
from billing.money import ZERO, list_value_minor
from billing.selectors import dashboard
from billing.selectors.dashboard import Money, Outcomes, Period
from billing.selectors.waiting import Waiting, unfinished_events
from billing.templatetags.billing_format import short_credits

CURRENCIES_DRAWN = 3
_USAGE = tuple(kind.value for kind in dashboard.USAGE_KINDS)
_FREE = tuple(kind.value for kind, priority in GRANT_PRIORITIES.items() if priority == FREE_PRIORITY)
_GRANTED = tuple(kind.value for kind in GRANT_PRIORITIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure, what it says beside it, and the list behind it. `needs_care` marks what staff should look at."""

    label: str
    value: str
    note: str
    address: str
    needs_care: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Tiles and charts that belong together."""

    title: str
    tiles: list[Tile]
    charts: list[Chart] = field(default_factory=list)


def money_part(period: Period, now: datetime) -> Part:
    """What was collected and given back, for how many payments, of how many customers."""
    sales, back = dashboard.read_sales(period), dashboard.read_given_back(period)
    outcomes = dashboard.payment_outcomes(period)
    net = dict(sales.collected)
    for (_, currency), amount_minor in back.items():
        net[currency] = net.get(currency, 0) - amount_minor
    paid_list = list_in_period(Payment, period, "paid_at")
    per_customer = {currency: round(Decimal(total) / (sales.customers or 1)) for currency, total in net.items()}
    tiles = [
        Tile(
            label="Sales",
            value=show_sums(sales.collected),
            note=f"{sales.payments:,} payments of {sales.customers:,} customers",
            address=paid_list,
        ),
        Tile(
            label="Average revenue per paying customer (ARPU)",
            value=show_sums(per_customer),
            note="sales less what was given back",
            address=paid_list,
        ),
        _rate_tile(
            "Payments that succeeded",
            outcomes,
            note=f"{outcomes.good:,} paid, {outcomes.bad:,} failed",
            address=list_in_period(Payment, period, "created_at"),
            least=Decimal(50),
        ),
    ]
    currencies = sorted(sales.collected, key=lambda currency: -sales.collected[currency]) or ["usd"]
    charts = [_money_chart(period, currency, sales.by_day, back) for currency in currencies[:CURRENCIES_DRAWN]]
    return Part(title="Money", tiles=tiles, charts=[*charts, _outcome_chart("payments", "Payments", period, outcomes)])


def refunds_part(period: Period, now: datetime) -> Part:
    """Refunds that stand."""
    count, sums = dashboard.refunds_made(period)
    tile = Tile(
        label="Refunds",
        value=f"{count:,}",
        note=show_sums(sums, nothing="nothing refunded"),
        address=list_in_period(PaymentRefund, period, "refunded_at", is_dead__exact=0),
    )
    return Part(title="Money", tiles=[tile])


def disputes_part(period: Period, now: datetime) -> Part:
    """Disputes, with their inquiries."""
    count, sums = dashboard.disputes_opened(period)
    tile = Tile(
        label="Disputes",
        value=f"{count:,}",
        note=f"over {show_sums(sums)}" if count else "none opened",
        address=list_in_period(PaymentDispute, period, "opened_at"),
        needs_care=bool(count),
    )
    return Part(title="Money", tiles=[tile])


def balances_part(period: Period, now: datetime) -> Part:
    """What customers have, now."""
    liability = dashboard.read_liability()
    in_debt = f"; {show_credits(liability.debts)} in debts beside it" if liability.debts else ""
    tiles = [
        Tile(
            label="Credits owed to customers",
            value=short_credits(liability.owed),
            note=f"{_list_value(liability.owed)} at list price{in_debt}",
            address=list_address(CreditBalance, {"posted__gt": 0}),
        ),
        Tile(
            label="Average balance",
            value=short_credits(liability.average),
            note=f"of {liability.customers:,} customers",
            address=list_address(CreditBalance),
        ),
        Tile(
            label="Customers frozen",
            value=f"{liability.frozen:,}",
            note="may not spend" if liability.frozen else "all may spend",
            address=list_address(CreditBalance, {"frozen_at__isempty": 0}),
            needs_care=bool(liability.frozen),
        ),
    ]
    return Part(title="Credits", tiles=tiles)


def grants_part(period: Period, now: datetime) -> Part:
    """Money that was collected and is not earned, now."""
    tile = Tile(
        label="Deferred money",
        value=show_sums(dashboard.deferred_money()),
        note="paid for credits that are still there, without tax",
        address=list_address(CreditGrant, {"is_open__exact": 1, "cost_minor__gt": 0}),
    )
    return Part(title="Credits", tiles=[tile])


def entries_part(period: Period, now: datetime) -> Part:
    """What was used, and how much of it had been given away."""
    first_id = dashboard.first_entry_id(period.since)
    sums = dashboard.credits_by_day(period, first_id=first_id)
    free_used = dashboard.free_credits_used(period, first_id=first_id)
    used, given = -_total(sums, _USAGE), _total(sums, _FREE)
    tiles = [
        Tile(
            label="Credits used",
            value=short_credits(used),
            note=f"{_list_value(used)} at list price",
            address=list_in_period(LedgerEntry, period, "occurred_at", kind__in=",".join(_USAGE)),
        ),
        Tile(
            label="Promotional cost",
            value=_list_value(free_used),
            note=f"{show_credits(free_used)} free credits used, {show_credits(given)} given",
            address=list_in_period(LedgerEntry, period, "occurred_at", kind__in=",".join(_FREE)),
        ),
    ]
    chart = build_chart(
        id="credits",
        title="Credits",
        labels=("came in", "used"),
        period=period,
        up=_of_kinds(sums, _GRANTED),
        down={day: -amount for day, amount in _of_kinds(sums, _USAGE).items()},
        show=show_credits,
    )
    return Part(title="Credits", tiles=tiles, charts=[chart])


def events_part(period: Period, now: datetime) -> Part:
    """How Stripe's events fare."""
    outcomes, unfinished = dashboard.event_outcomes(period), unfinished_events()
    oldest_at = unfinished[EventState.PENDING].oldest_at
    tiles = [
        _rate_tile(
            "Webhooks worked off",
            outcomes,
            note=f"{outcomes.good:,} done, {outcomes.bad:,} dead",
            address=list_in_period(StripeEvent, period, "received_at"),
            least=Decimal(100),
        ),
        Tile(
            label="Oldest unprocessed event",
            value=timesince(oldest_at, now) if oldest_at else "none",
            note="waits for work" if oldest_at else "nothing waits",
            address=list_address(StripeEvent, {"state__exact": EventState.PENDING.value}),
            needs_care=bool(oldest_at and (now - oldest_at).total_seconds() > 120),
        ),
        *_unfinished_tiles(unfinished),
    ]
    return Part(title="Stripe's events", tiles=tiles, charts=[_outcome_chart("events", "Events", period, outcomes)])


def list_in_period(model: type[Model], period: Period, name: str, **filters: Any) -> str:
    """The address of the rows whose time is in the period."""
    times = {lookup: moment.isoformat() for lookup, moment in period.lookup(name).items()}
    return list_address(model, {**filters, **times})


def show_sums(sums: Money, *, nothing: str = "0") -> str:
    """Money in each currency, the largest first."""
    ordered = sorted(sums.items(), key=lambda each: -each[1])
    return ", ".join(show_money(amount_minor, currency) for currency, amount_minor in ordered) or nothing


def _unfinished_tiles(unfinished: Mapping[EventState, Waiting]) -> list[Tile]:
    notes = {
        EventState.PENDING: "wait for work",
        EventState.PARKED: "of objects that are not ours (yet)",
        EventState.DEAD: "failed too often; look and replay",
    }
    return [
        Tile(
            label=f"Events {state.label.lower()}",
            value=f"{unfinished[state].count:,}",
            note=note,
            address=list_address(StripeEvent, {"state__exact": state.value}),
            needs_care=state is EventState.DEAD and unfinished[state].count > 0,
        )
        for state, note in notes.items()
    ]


def _rate_tile(label: str, outcomes: Outcomes, *, note: str, address: str, least: Decimal) -> Tile:
    rate = outcomes.rate
    return Tile(
        label=label,
        value="–" if rate is None else f"{rate.normalize():f} %",
        note=note,
        address=address,
        needs_care=rate is not None and rate < least,
    )


def in_cents(amount: Decimal) -> int:
    """What credits are worth at list price, in cents."""
    return list_value_minor(amount, credits_per_usd=conf.credits_per_usd())


def _list_value(amount: Decimal) -> str:
    return show_money(in_cents(amount), "usd")


def _total(sums: Mapping[tuple[date, str], Decimal], kinds: tuple[str, ...]) -> Decimal:
    return sum(_of_kinds(sums, kinds).values(), ZERO)


def _of_kinds(sums: Mapping[tuple[date, str], Decimal], kinds: tuple[str, ...]) -> dict[date, Decimal]:
    by_day: dict[date, Decimal] = {}
    for (day, kind), amount in sums.items():
        if kind in kinds:
            by_day[day] = by_day.get(day, ZERO) + amount
    return by_day


def _money_chart(
    period: Period, currency: str, sales: Mapping[tuple[date, str], int], back: Mapping[tuple[date, str], int]
) -> Chart:
    return build_chart(
        id=f"money-{currency}",
        title=f"Money, {currency.upper()}",
        labels=("collected", "given back"),
        period=period,
        up={day: amount for (day, code), amount in sales.items() if code == currency},
        down={day: amount for (day, code), amount in back.items() if code == currency},
        show=lambda amount: show_money(int(amount), currency),
    )


def _outcome_chart(id: str, title: str, period: Period, outcomes: Outcomes) -> Chart:
    return build_chart(
        id=id,
        title=title,
        labels=("went well", "failed"),
        period=period,
        up={day: good for day, (good, _) in outcomes.by_day.items()},
        down={day: bad for day, (_, bad) in outcomes.by_day.items()},
        show=lambda amount: f"{int(amount):,}",
    )
