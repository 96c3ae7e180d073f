"""What metered work was charged and what it cost us."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, Sum

from billing.money import ZERO
from billing.selectors.dashboard import first_row_id
from usage.models import CorrectedUsage, UsageEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageMargin:
    """Metered work of a time: `charged` in credits with corrections, `cost_usd` what providers take for it."""

    calls: int
    at_default_price: int
    charged: Decimal
    cost_usd: Decimal


def read_usage_margin(*, since: datetime, until: datetime) -> UsageMargin:
    """The sums of all usage that happened from `since` to before `until`; rows from before are not looked at."""
    first_id = first_row_id(UsageEvent, since)
    events = UsageEvent.objects.filter(pk__gte=first_id, occurred_at__gte=since, occurred_at__lt=until)
    sums = events.aggregate(
        calls=Count("pk"),
        at_default_price=Count("pk", filter=Q(is_default_price=True)),
        charged=Sum("credits", default=ZERO),
        cost_usd=Sum("cost_usd", default=ZERO),
    )
    corrected = CorrectedUsage.objects.filter(
        usage_event_id__gte=first_id, usage_event__occurred_at__gte=since, usage_event__occurred_at__lt=until
    ).aggregate(total=Sum("amount", default=ZERO))
    return UsageMargin(**{**sums, "charged": sums["charged"] - corrected["total"]})
