"""The figures on the admin's first page. Each is counted when the page is asked for, and links to what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince

from billing.admin.base import list_address, show_credits, show_money
from billing.models import BillingCustomer, CreditBalance, EventState, Payment, StripeEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure, what it says beside it, and the list behind it. `needs_care` marks what staff should look at."""

    label: str
    value: str
    note: str
    address: str
    needs_care: bool = False


def add_figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The index page's context, with the tiles that this member of staff may see the lists of."""
    now = timezone.now()
    tiles = []
    if request.user.has_perm("billing.view_billingcustomer"):
        tiles += [_customers(), _liability()]
    if request.user.has_perm("billing.view_payment"):
        tiles.append(_payments_today(now))
    if request.user.has_perm("billing.view_stripeevent"):
        tiles += _inbox(now)
    return {**context, "tiles": tiles, "as_of": now}


def _customers() -> Tile:
    counts = BillingCustomer.objects.aggregate(all=Count("pk"), flagged=Count("pk", filter=Q(flagged_at__isnull=False)))
    flagged = counts["flagged"]
    return Tile(
        label="Customers",
        value=f"{counts['all']:,}",
        note=f"{flagged:,} flagged for staff" if flagged else "none flagged",
        address=list_address(BillingCustomer, {"flagged_at__isempty": 0} if flagged else None),
        needs_care=bool(flagged),
    )


def _liability() -> Tile:
    sums = CreditBalance.objects.aggregate(
        owed=Sum("posted", filter=Q(posted__gt=0)), debts=Sum("posted", filter=Q(posted__lt=0))
    )
    debts = f"{show_credits(-sums['debts'])} in debts beside it" if sums["debts"] else "no customer is in debt"
    return Tile(
        label="Credits owed to customers",
        value=show_credits(sums["owed"]) if sums["owed"] else "0",
        note=debts,
        address=list_address(CreditBalance),
    )


def _payments_today(now: datetime) -> Tile:
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    paid = Payment.objects.filter(paid_at__gte=today)
    totals = paid.values("paid_currency").annotate(total=Sum("paid_amount_minor")).order_by("paid_currency")
    money = ", ".join(show_money(row["total"], row["paid_currency"]) for row in totals)
    return Tile(
        label="Payments today",
        value=f"{paid.count():,}",
        note=money or "nothing collected yet",
        address=list_address(Payment, {"paid_at__gte": today.isoformat()}),
    )


def _inbox(now: datetime) -> list[Tile]:
    unfinished = [EventState.PENDING, EventState.PARKED, EventState.DEAD]
    rows = StripeEvent.objects.filter(state__in=unfinished).values("state").annotate(count=Count("pk"))
    counts = {row["state"]: row["count"] for row in rows}
    oldest = StripeEvent.objects.filter(state=EventState.PENDING).aggregate(at=Min("received_at"))["at"]
    waits = {
        EventState.PENDING: f"oldest waits for {timesince(oldest, now)}" if oldest else "nothing waits",
        EventState.PARKED: "of objects that are not ours (yet)",
        EventState.DEAD: "failed too often; look and replay",
    }
    return [
        Tile(
            label=f"Events {state.label.lower()}",
            value=f"{counts.get(state.value, 0):,}",
            note=waits[state],
            address=list_address(StripeEvent, {"state__exact": state.value}),
            needs_care=state is EventState.DEAD and bool(counts.get(state.value)),
        )
        for state in unfinished
    ]
