"""The figures of staff's first page over a period. Reads only; as many queries for a large house as for a small one.

Payments, refunds, disputes and events are found by an index on their time. Entries have none: their ids grow with time,
so the first one of a period is found by halving, and only what was recorded since is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import Avg, Count, F, Model, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from billing.kinds import EntryKind
from billing.models import (
    CreditBalance,
    CreditGrant,
    EventState,
    GrantAllocation,
    LedgerEntry,
    Payment,
    PaymentDispute,
    PaymentRefund,
    StripeEvent,
)
from billing.money import ZERO

Money = Mapping[str, int]  # minor units by currency
USAGE_KINDS: Final = (EntryKind.USAGE, EntryKind.USAGE_CORRECTION)
_COMMITTED_LATER: Final = timedelta(minutes=5)  # an id is taken a moment before its row can be seen

_FIRST_ROW_SINCE = """
    WITH RECURSIVE search (low, high) AS (
        SELECT 0::bigint, coalesce(max(id), 0) + 1 FROM {table}
        UNION ALL
        SELECT CASE WHEN probe.created_at < %(since)s THEN probe.id ELSE search.low END,
            CASE WHEN probe.created_at < %(since)s THEN search.high ELSE (search.low + search.high) / 2 END
        FROM search LEFT JOIN LATERAL (
            SELECT id, created_at FROM {table}
            WHERE id >= (search.low + search.high) / 2 AND id < search.high ORDER BY id LIMIT 1
        ) AS probe ON true
        WHERE search.high - search.low > 1
    )
    SELECT min(high) FROM search
"""

_GIVEN_BACK = """
    SELECT day, currency, sum(change) FROM (
        SELECT (movement.created_at AT TIME ZONE 'UTC')::date AS day, movement.currency,
            movement.given_back_minor - coalesce(former.given_back_minor, 0) AS change
        FROM billing_moneymovement AS movement
        LEFT JOIN billing_moneymovement AS former
            ON former.payment_id = movement.payment_id AND former.number = movement.number - 1
        WHERE movement.created_at >= %(since)s AND movement.created_at < %(until)s
        UNION ALL
        SELECT (movement.created_at AT TIME ZONE 'UTC')::date, movement.currency,
            movement.given_back_minor - coalesce(former.given_back_minor, 0)
        FROM billing_planmovement AS movement
        LEFT JOIN billing_planmovement AS former
            ON former.period_id = movement.period_id AND former.number = movement.number - 1
        WHERE movement.created_at >= %(since)s AND movement.created_at < %(until)s
    ) AS changes
    GROUP BY day, currency HAVING sum(change) <> 0 ORDER BY day, currency
"""

# Somebody tried, and nothing was collected. A checkout that was left without an attempt has not failed.
PAYMENT_FAILED: Final = Q(paid_at__isnull=True) & (
    Q(failed_at__isnull=False) | Q(refused_at__isnull=False) | ~Q(failed_attempts={})
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days (UTC), both inclusive."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time.min, UTC)

    @property
    def until(self) -> datetime:
        """The moment at which it is over; exclusive."""
        return datetime.combine(self.last + timedelta(days=1), time.min, UTC)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def lookup(self, name: str) -> dict[str, datetime]:
        """The filter of rows whose time `name` is in the period."""
        return {f"{name}__gte": self.since, f"{name}__lt": self.until}


@dataclass(frozen=True, slots=True, kw_only=True)
class Liability:
    """What customers have: sums over all balances, now."""

    owed: Decimal
    debts: Decimal
    customers: int
    average: Decimal
    frozen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """How many went well and how many did not, in all and by day."""

    good: int = 0
    bad: int = 0
    by_day: Mapping[date, tuple[int, int]] = field(default_factory=dict)

    @property
    def rate(self) -> Decimal | None:
        """Percent that went well, one place; None where there was nothing."""
        ended = self.good + self.bad
        return (Decimal(100 * self.good) / ended).quantize(Decimal("0.1")) if ended else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """What was collected, by currency and day, from how many payments of how many customers."""

    collected: Money
    by_day: Mapping[tuple[date, str], int]
    payments: int
    customers: int


def read_liability() -> Liability:
    """One pass over the balances: a row per customer."""
    row: dict[str, Any] = CreditBalance.objects.aggregate(
        owed=Sum("posted", filter=Q(posted__gt=0)),
        debts=Sum("posted", filter=Q(posted__lt=0)),
        customers=Count("pk"),
        average=Avg("posted"),
        frozen=Count("pk", filter=Q(frozen_at__isnull=False)),
    )
    return Liability(
        owed=row["owed"] or ZERO,
        debts=-(row["debts"] or ZERO),
        customers=row["customers"],
        average=(row["average"] or ZERO).quantize(Decimal("0.01")),
        frozen=row["frozen"],
    )


def deferred_money() -> Money:
    """What was collected, without tax, for credits that are still there. The books have it to the minor unit."""
    without_tax = F("cost_minor") - Coalesce(F("payment__paid_tax_minor"), 0)
    rows = (
        CreditGrant.objects.filter(is_open=True, cost_minor__gt=0)
        .values("currency")
        .annotate(deferred=Sum(without_tax * F("remaining") / F("amount")))
        .order_by("currency")
    )
    return {row["currency"]: round(row["deferred"]) for row in rows}


def read_sales(period: Period) -> Sales:
    """What was paid in the period."""
    paid = Payment.objects.filter(**period.lookup("paid_at"))
    rows = (
        paid.annotate(day=TruncDate("paid_at", tzinfo=UTC))
        .values("day", "paid_currency")
        .annotate(total=Sum("paid_amount_minor"), count=Count("pk"))
        .order_by("day", "paid_currency")
    )
    by_day = {(row["day"], row["paid_currency"]): row["total"] for row in rows}
    return Sales(
        collected=_sum_by_currency(by_day),
        by_day=by_day,
        payments=sum(row["count"] for row in rows),
        customers=paid.aggregate(count=Count("customer", distinct=True))["count"],
    )


def read_given_back(period: Period) -> Mapping[tuple[date, str], int]:
    """What went back, by refunds and disputes, by day and currency; below zero where money came back to us."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN_BACK, {"since": period.since, "until": period.until})
        return {(day, currency): int(amount) for day, currency, amount in cursor.fetchall()}


def refunds_made(period: Period) -> tuple[int, Money]:
    """Refunds that Stripe made in the period and that stand: how many, and how much."""
    rows = (
        PaymentRefund.objects.filter(is_dead=False, **period.lookup("refunded_at"))
        .values("currency")
        .annotate(count=Count("pk"), total=Sum("amount_minor"))
        .order_by("currency")
    )
    return sum(row["count"] for row in rows), {row["currency"]: row["total"] for row in rows}


def disputes_opened(period: Period) -> tuple[int, Money]:
    """Disputes opened in the period, inquiries too: how many, and over how much."""
    rows = (
        PaymentDispute.objects.filter(**period.lookup("opened_at"))
        .values("currency")
        .annotate(count=Count("pk"), total=Sum("amount_minor"))
        .order_by("currency")
    )
    return sum(row["count"] for row in rows), {row["currency"]: row["total"] for row in rows}


def first_entry_id(since: datetime) -> int:
    """From this id on stand all entries recorded since then."""
    return first_row_id(LedgerEntry, since)


def first_row_id(model: type[Model], since: datetime) -> int:
    """From this id on stand all rows recorded since then (`created_at`); some twenty look-ups among a million rows."""
    with connection.cursor() as cursor:
        statement = _FIRST_ROW_SINCE.replace("{table}", model._meta.db_table)
        cursor.execute(statement, {"since": since - _COMMITTED_LATER})
        return int(cursor.fetchone()[0] or 1)


def credits_by_day(period: Period, *, first_id: int) -> Mapping[tuple[date, str], Decimal]:
    """The sum of the entries of each day and kind, signed."""
    rows = (
        LedgerEntry.objects.filter(pk__gte=first_id, **period.lookup("occurred_at"))
        .annotate(day=TruncDate("occurred_at", tzinfo=UTC))
        .values("day", "kind")
        .annotate(total=Sum("amount"))
        .order_by("day", "kind")
    )
    return {(row["day"], row["kind"]): row["total"] for row in rows}


def free_credits_used(period: Period, *, first_id: int) -> Decimal:
    """How much of the period's usage was paid from credits that nobody paid for."""
    drawn = GrantAllocation.objects.filter(
        entry_id__gte=first_id,
        entry__kind=EntryKind.USAGE,
        grant__cost_minor=0,
        **period.lookup("entry__occurred_at"),
    )
    return drawn.aggregate(total=Sum("amount"))["total"] or ZERO


def payment_outcomes(period: Period) -> Outcomes:
    """Of the payments started in the period, those that were paid and those that were tried and failed.

    A checkout that was left without an attempt is neither.
    """
    rows = (
        Payment.objects.filter(**period.lookup("created_at"))
        .annotate(day=TruncDate("created_at", tzinfo=UTC))
        .values("day")
        .annotate(good=Count("pk", filter=Q(paid_at__isnull=False)), bad=Count("pk", filter=PAYMENT_FAILED))
        .order_by("day")
    )
    return _outcomes({row["day"]: (row["good"], row["bad"]) for row in rows})


def event_outcomes(period: Period) -> Outcomes:
    """Of the events received in the period, those that were worked off and those that died."""
    rows = (
        StripeEvent.objects.filter(**period.lookup("received_at"))
        .annotate(day=TruncDate("received_at", tzinfo=UTC))
        .values("day")
        .annotate(good=Count("pk", filter=Q(state=EventState.DONE)), bad=Count("pk", filter=Q(state=EventState.DEAD)))
        .order_by("day")
    )
    return _outcomes({row["day"]: (row["good"], row["bad"]) for row in rows})


def _outcomes(by_day: Mapping[date, tuple[int, int]]) -> Outcomes:
    return Outcomes(
        good=sum(good for good, _ in by_day.values()), bad=sum(bad for _, bad in by_day.values()), by_day=by_day
    )


def _sum_by_currency(by_day: Mapping[tuple[date, str], int]) -> Money:
    sums: dict[str, int] = {}
    for (_, currency), amount_minor in by_day.items():
        sums[currency] = sums.get(currency, 0) + amount_minor
    return sums
