"""What plans bring in: monthly recurring revenue and churn, for the dashboard of staff."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Subscription, SubscriptionStatus
from billing.selectors.dashboard import Money, Period
from billing.selectors.subscriptions import entitling_subscriptions

_MONTHS = {"month": 1, "year": 12}
_NEVER_BEGUN = (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.INCOMPLETE_EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringRevenue:
    """What running subscriptions bring in a month, before discounts and tax; trials bring nothing yet."""

    monthly: Money
    subscriptions: int
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """Of the customers who were subscribed when a period began, those who no longer were when it ended."""

    at_start: int
    lost: int

    @property
    def rate(self) -> Decimal | None:
        """Percent lost, one place; None where nobody was subscribed."""
        if not self.at_start:
            return None
        return (Decimal(100 * self.lost) / self.at_start).quantize(Decimal("0.1"))


def read_recurring_revenue(*, now: datetime) -> RecurringRevenue:
    """Monthly recurring revenue by currency: a year counts a twelfth a month, halves to even, per currency."""
    sums: dict[str, Decimal] = {}
    subscriptions = trials = 0
    rows = entitling_subscriptions(now=now).order_by()
    for status, currency, interval, price_minor in rows.values_list("status", "currency", "interval", "price_minor"):
        if status == SubscriptionStatus.TRIALING:
            trials += 1
            continue
        subscriptions += 1
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(price_minor) / _MONTHS.get(interval, 1)
    monthly = {currency: round(amount) for currency, amount in sorted(sums.items())}
    return RecurringRevenue(monthly=monthly, subscriptions=subscriptions, trials=trials)


def read_churn(period: Period) -> Churn:
    """Customers lost in a period; who ended one subscription and has another is not lost."""
    before = _running_at(period.since).order_by().values("customer").distinct()
    still = Exists(_running_at(period.until).filter(customer=OuterRef("customer")))
    return Churn(at_start=before.count(), lost=before.exclude(still).count())


def _running_at(moment: datetime) -> QuerySet[Subscription]:
    running = Q(ended_at__isnull=True) | Q(ended_at__gt=moment)
    return Subscription.objects.filter(running, started_at__lt=moment).exclude(status__in=_NEVER_BEGUN)
