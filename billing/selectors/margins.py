"""What metered work brought in and what it cost us, by model or operation.

Usage is recorded in the app above; its events are reached through the customer that they belong to, whose relation to
them Django knows, so that nothing of usage is imported here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from django.db.models import Count, Sum

from billing import conf
from billing.models import BillingCustomer
from billing.money import ZERO

Kind = Literal["model", "operation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Calls of one model or operation: what customers were charged, corrections included, and our cost, in dollars."""

    calls: int = 0
    charged_usd: Decimal = ZERO
    cost_usd: Decimal = ZERO

    @property
    def percent(self) -> Decimal | None:
        """The part of the charge that is ours to keep; None where nothing was charged."""
        return (self.charged_usd - self.cost_usd) * 100 / self.charged_usd if self.charged_usd else None


def read_margins(*, kind: Kind, names: Iterable[str], since: datetime) -> dict[str, Margin]:
    """By name, what was used since; what was not used is missing. Credits count at `CREDITS_PER_USD`."""
    name = f"usage_events__{kind}"
    of_these = {f"{name}__in": list(names), "usage_events__occurred_at__gte": since}
    used = (
        BillingCustomer.objects.filter(**of_these)
        .order_by()
        .values_list(name)
        .annotate(calls=Count("usage_events"), credits=Sum("usage_events__credits"), cost=Sum("usage_events__cost_usd"))
    )
    corrected = dict(
        BillingCustomer.objects.filter(**of_these, usage_events__corrections__isnull=False)
        .order_by()
        .values_list(name)
        .annotate(amount=Sum("usage_events__corrections__amount"))
    )  # signed as entries are: a further charge is negative
    return {
        each: Margin(
            calls=calls,
            charged_usd=(credits - corrected.get(each, ZERO)) / conf.credits_per_usd(),
            cost_usd=cost,
        )
        for each, calls, credits, cost in used
    }


def read_models_at_default_price(*, since: datetime) -> dict[str, int]:
    """Models that were served without a price of their own, and how often since."""
    if not conf.default_price_model():
        return {}
    served = BillingCustomer.objects.filter(
        usage_events__is_default_price=True, usage_events__occurred_at__gte=since
    ).order_by("usage_events__model")
    return dict(served.values_list("usage_events__model").annotate(calls=Count("usage_events")))
