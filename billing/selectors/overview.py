"""What the overview and the lists show beyond the balance itself. Reads only, never locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Prefetch, Q, Sum
from django.db.models.functions import TruncDate

from billing.kinds import EntryKind
from billing.models import BillingCustomer, LedgerEntry, Payment, PaymentDispute, PaymentRefund, PaymentState
from billing.money import ZERO, round_credits_down

# Stripe keeps a checkout open for a day; a little less, so that nobody is sent to one that is about to close.
CHECKOUT_LIFETIME = timedelta(hours=23)
GIVEN_BACK_IS_NEWS = timedelta(days=30)
RUNWAY_DAYS, LEAST_RUNWAY_DAYS = 7, 3
_USED = (EntryKind.USAGE, EntryKind.USAGE_CORRECTION)
_MONEY_BACK = (  # the newest of each first
    Prefetch("refunds", PaymentRefund.objects.order_by("-refunded_at", "-pk")),
    Prefetch("disputes", PaymentDispute.objects.order_by("-opened_at", "-pk")),
    "invoice_mirror__credit_notes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayMovement:
    """Credits that came in and went out on one day (UTC), both as positive amounts.

    `used` is what usage took of it, less what corrections gave back.
    """

    day: date
    credits_in: Decimal
    credits_out: Decimal
    used: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """For how many whole days the credits last at the average of the last `average_days` complete days."""

    days: int
    average_days: int
    a_day: Decimal


# Entries have no index on time, and need none: their sequence grows with it and has no gaps, so the first entry since a
# moment is found by halving, some twenty look-ups among a million entries.
_FIRST_SEQUENCE_SINCE = """
    WITH RECURSIVE search (low, high) AS (
        SELECT 0::bigint, last_sequence + 1 FROM billing_creditbalance WHERE customer_id = %(customer)s
        UNION ALL
        SELECT CASE WHEN entry.created_at < %(since)s THEN entry.sequence ELSE search.low END,
            CASE WHEN entry.created_at < %(since)s THEN search.high ELSE entry.sequence END
        FROM search JOIN billing_ledgerentry AS entry
            ON entry.customer_id = %(customer)s AND entry.sequence = (search.low + search.high) / 2
        WHERE search.high - search.low > 1
    )
    SELECT min(high) FROM search
"""


def first_sequence_since(*, customer_id: int, since: datetime) -> int:
    """From which entry on the customer's entries were recorded at `since` or later."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SEQUENCE_SINCE, {"customer": customer_id, "since": since})
        row = cursor.fetchone()
    return row[0] or 1


def daily_movements(*, customer_id: int, now: datetime, days: int = 30) -> list[DayMovement]:
    """One movement for each of the last `days` days, the oldest first and today last; days without entries are zero."""
    first = now.astimezone(UTC).date() - timedelta(days=days - 1)
    since = datetime.combine(first, time.min, UTC)
    sequence = first_sequence_since(customer_id=customer_id, since=since)
    rows = (
        LedgerEntry.objects.filter(customer_id=customer_id, sequence__gte=sequence, occurred_at__gte=since)
        .annotate(day=TruncDate("occurred_at", tzinfo=UTC))
        .values("day")
        .annotate(
            credits_in=Sum("amount", filter=Q(amount__gt=0)),
            credits_out=Sum("amount", filter=Q(amount__lt=0)),
            used=Sum("amount", filter=Q(kind__in=_USED)),
        )
    )
    by_day = {
        row["day"]: DayMovement(
            day=row["day"],
            credits_in=row["credits_in"] or ZERO,
            credits_out=-(row["credits_out"] or ZERO),
            used=-(row["used"] or ZERO),
        )
        for row in rows
    }
    calendar = (first + timedelta(days=offset) for offset in range(days))
    return [by_day.get(day) or DayMovement(day=day, credits_in=ZERO, credits_out=ZERO) for day in calendar]


def estimate_runway(*, movements: Sequence[DayMovement], available: Decimal) -> Runway | None:
    """How long the credits last; `movements` are in order of days, the present one last.

    The average is over the last seven complete days, or those since the first use where that is sooner. Nothing with
    less than three of them, and nothing where nothing was used or is left.
    """
    complete = movements[:-1]
    first = next((index for index, movement in enumerate(complete) if movement.used), len(complete))
    lately = complete[max(first, len(complete) - RUNWAY_DAYS) :]
    used = sum((movement.used for movement in lately), ZERO)
    if len(lately) < LEAST_RUNWAY_DAYS or used <= 0 or available <= 0:
        return None
    days = int(available * len(lately) / used)
    return Runway(days=days, average_days=len(lately), a_day=round_credits_down(used / len(lately)))


def payments_under_way(*, customer_id: int) -> list[Payment]:
    """Payments that were made but have not arrived, and those that staff look at; the newest first."""
    return list(
        Payment.objects.filter(
            customer_id=customer_id, state__in=[PaymentState.PROCESSING, PaymentState.REVIEW]
        ).order_by("-pk")[:5]
    )


def page_of_payments(*, customer_id: int, before_id: int | None, limit: int) -> tuple[list[Payment], int | None]:
    """Up to `limit` payments, the newest first, and the id to go on from (`None` after the last page)."""
    payments = Payment.objects.filter(customer_id=customer_id).select_related("pack", "plan").order_by("-pk")
    payments = payments.prefetch_related(*_MONEY_BACK)
    if before_id is not None:
        payments = payments.filter(pk__lt=before_id)
    rows = list(payments[: limit + 1])
    return rows[:limit], rows[limit - 1].pk if len(rows) > limit else None


def payments_given_back(*, customer_id: int, now: datetime, limit: int = 3) -> list[Payment]:
    """Payments of which money went back lately, or may: a refund of the last month, a dispute that is not closed.

    A credit note of the last month that gave money back without a refund counts as one.
    """
    since = now - GIVEN_BACK_IS_NEWS
    is_news = Q(refunds__refunded_at__gt=since) | Q(refunds__dead_at__gt=since) | Q(disputes__opened_at__gt=since)
    is_open_dispute = Q(disputes__isnull=False, disputes__closed_at__isnull=True)
    is_credited = Q(credited_minor__gt=0, invoice_mirror__credit_notes__issued_at__gt=since)
    named = Payment.objects.filter(is_news | is_open_dispute | is_credited, customer_id=customer_id).values("pk")
    payments = Payment.objects.filter(pk__in=named).order_by("-pk")
    return list(payments.prefetch_related(*_MONEY_BACK)[:limit])


def is_open(payment: Payment, *, now: datetime) -> bool:
    """Whether the payment's embedded checkout can still be taken up. A hosted one lives on Stripe's page alone."""
    return (
        payment.state == PaymentState.PENDING
        and payment.ui_mode == "embedded_page"
        and payment.checkout_session_id is not None
        and payment.created_at > now - CHECKOUT_LIFETIME
    )


def find_open_payment(*, customer: BillingCustomer, public_id: str, now: datetime) -> Payment | None:
    """The customer's payment of that reference if its checkout can still be taken up."""
    payment = Payment.objects.filter(customer=customer, public_id=public_id).first()
    return payment if payment is not None and is_open(payment, now=now) else None
