"""The admin's first page: the figures of a period, each computed when the page is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.contrib.admin import site
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from billing.admin import dashboard_figures as figures
from billing.admin.base import list_address, show_credits
from billing.admin.dashboard_figures import Part, Tile
from billing.admin.plan_figures import plans_part
from billing.models import (
    Adjustment,
    BillingCustomer,
    CreditBalance,
    CreditGrant,
    LedgerEntry,
    Payment,
    PaymentDispute,
    PaymentRefund,
    ReconciliationFinding,
    RefundRequest,
    StaffAlarm,
    StripeEvent,
    Subscription,
)
from billing.money import ZERO
from billing.selectors.alarms import active_alarms
from billing.selectors.balances import read_balance
from billing.selectors.dashboard import Period
from billing.selectors.waiting import (
    Waiting,
    count_flagged_customers,
    count_open_findings,
    waiting_adjustments,
    waiting_refunds,
)

PRESETS: Final = (7, 30, 90)
DEFAULT_DAYS: Final = 30
LONGEST_DAYS: Final = 3 * 366

PartBuilder = Callable[[Period, datetime], Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The period that the address names; `fault` says why it is another one."""

    period: Period
    days: int | None = None
    fault: str = ""


def add_figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The index page's context, with the parts that this member of staff may see the lists of."""
    now = timezone.now()
    choice = choose_period(request.GET, today=now.astimezone(UTC).date())
    parts = _merge([build(choice.period, now) for model, build in (*_PARTS, *_ADDED) if _may_see(request, model)])
    own = [_own_credits(request.user.pk, now)] if request.user.pk else []
    return {
        **context,
        "parts": parts,
        "tiles": [tile for part in parts for tile in part.tiles],
        "own_tiles": own,
        "choice": choice,
        "presets": PRESETS,
        "as_of": now,
    }


def add_part(model: type[Model], build: PartBuilder) -> None:
    """Let an app above show tiles, too, to those who may see that list; called once, when its admin is loaded."""
    _ADDED.append((model, build))


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    return bool(site.get_model_admin(model).has_view_permission(request))


def choose_period(query: Mapping[str, str], *, today: date) -> Choice:
    """`days=7`, or `from` and `to` (both days inclusive); 30 days up to today where nothing sensible is named."""
    usual = Choice(period=_last_days(DEFAULT_DAYS, today), days=DEFAULT_DAYS)
    if query.get("days", "") in [str(days) for days in PRESETS]:
        return Choice(period=_last_days(int(query["days"]), today), days=int(query["days"]))
    if not query.get("from") and not query.get("to"):
        return usual
    try:
        last = date.fromisoformat(query.get("to") or today.isoformat())
        first = date.fromisoformat(query.get("from") or (last - timedelta(days=DEFAULT_DAYS - 1)).isoformat())
    except (ValueError, OverflowError):
        return Choice(period=usual.period, days=DEFAULT_DAYS, fault="A day looks like this: 2026-11-20.")
    if first > last:
        return Choice(period=usual.period, days=DEFAULT_DAYS, fault="The period ends before it begins.")
    if (last - first).days >= LONGEST_DAYS or last.year > today.year + 1:
        return Choice(period=usual.period, days=DEFAULT_DAYS, fault="A period has three years at most.")
    return Choice(period=Period(first=first, last=last))


def _last_days(days: int, today: date) -> Period:
    return Period(first=today - timedelta(days=days - 1), last=today)


def _merge(parts: list[Part]) -> list[Part]:
    """One part for each title, in the order in which they come first."""
    merged: dict[str, Part] = {}
    for part in parts:
        before = merged.setdefault(part.title, Part(title=part.title, tiles=[]))
        merged[part.title] = Part(
            title=part.title, tiles=[*before.tiles, *part.tiles], charts=[*before.charts, *part.charts]
        )
    return list(merged.values())


def _own_credits(user_id: int, now: datetime) -> Tile:
    """What the signed-in person may spend; where nothing is left, the page where there is more."""
    balance = read_balance(user_id=user_id, now=now)
    available = balance.available if balance else ZERO
    return Tile(
        label="Your own credits",
        value=show_credits(available),
        note="left to spend" if available else "none left: get some on your billing page",
        address=reverse("billing:overview"),
        needs_care=not available,
    )


def _alarms_part(period: Period, now: datetime) -> Part:
    alarms = active_alarms()
    tile = Tile(
        label="Alarms active",
        value=f"{len(alarms):,}",
        note="; ".join(alarm.get_kind_display() for alarm in alarms) or "nothing is wrong",
        address=list_address(StaffAlarm, {"ended_at__isempty": 1} if alarms else None),
        needs_care=bool(alarms),
    )
    return Part(title="To do", tiles=[tile])


def _findings_part(period: Period, now: datetime) -> Part:
    counts = count_open_findings()
    note = ", ".join(f"{count:,} {severity}" for severity, count in counts.items() if count)
    tile = Tile(
        label="Findings open",
        value=f"{sum(counts.values()):,}",
        note=note or "everything agrees",
        address=list_address(ReconciliationFinding, {"state__exact": "open"}),
        needs_care=bool(note),
    )
    return Part(title="To do", tiles=[tile])


def _approvals(label: str, waiting: Waiting, address: str, now: datetime) -> Part:
    note = f"the oldest for {timesince(waiting.oldest_at, now)}" if waiting.oldest_at else "nobody is waited for"
    tile = Tile(label=label, value=f"{waiting.count:,}", note=note, address=address, needs_care=waiting.count > 0)
    return Part(title="To do", tiles=[tile])


def _adjustments_part(period: Period, now: datetime) -> Part:
    address = list_address(Adjustment, {"state": "waiting"})
    return _approvals("Credits waiting for approval", waiting_adjustments(), address, now)


def _refund_requests_part(period: Period, now: datetime) -> Part:
    address = list_address(RefundRequest, {"state": "waiting"})
    return _approvals("Refunds waiting for approval", waiting_refunds(), address, now)


def _customers_part(period: Period, now: datetime) -> Part:
    flagged = count_flagged_customers()
    tile = Tile(
        label="Customers flagged",
        value=f"{flagged:,}",
        note="look at them" if flagged else "none flagged",
        address=list_address(BillingCustomer, {"flagged_at__isempty": 0}),
        needs_care=bool(flagged),
    )
    return Part(title="To do", tiles=[tile])


_ADDED: Final[list[tuple[type[Model], PartBuilder]]] = []
# Tiles, by the list behind them: who may not see that does not see these.
_PARTS: Final[tuple[tuple[type[Model], PartBuilder], ...]] = (
    (StaffAlarm, _alarms_part),
    (ReconciliationFinding, _findings_part),
    (Adjustment, _adjustments_part),
    (RefundRequest, _refund_requests_part),
    (BillingCustomer, _customers_part),
    (Payment, figures.money_part),
    (Subscription, plans_part),
    (PaymentRefund, figures.refunds_part),
    (PaymentDispute, figures.disputes_part),
    (CreditBalance, figures.balances_part),
    (CreditGrant, figures.grants_part),
    (LedgerEntry, figures.entries_part),
    (StripeEvent, figures.events_part),
)
