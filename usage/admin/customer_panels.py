"""What the page of a customer shows of usage: the last calls, and thirty days by model."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone

from billing.admin.base import show_credits
from billing.admin.panels import NEWEST, Panel, add_panels, link_to_page, make_panel, when
from billing.models import BillingCustomer
from billing.money import ZERO
from usage.models import UsageEvent, UsageStatus

SUMMED_OVER = timedelta(days=30)


def build_usage_panels(customer: BillingCustomer) -> list[Panel]:
    return [_latest(customer), _by_work(customer)]


def _latest(customer: BillingCustomer) -> Panel:
    events = UsageEvent.objects.filter(customer=customer).select_related("api_key").order_by("-occurred_at")
    rows = [
        [
            link_to_page(event, when(event.occurred_at)),
            event.model or event.operation,
            f"{event.input_tokens + event.output_tokens:,}",
            show_credits(event.credits),
            event.get_status_display(),
            event.api_key.name if event.api_key else "–",
        ]
        for event in events[:NEWEST]
    ]
    return make_panel(
        title="Latest usage",
        model=UsageEvent,
        headers=["Happened", "Model or operation", "Tokens", "Charged", "Status", "API key"],
        rows=rows,
        empty="No metered work yet.",
        filters={"customer__id__exact": customer.pk},
    )


def _by_work(customer: BillingCustomer) -> Panel:
    """What thirty days cost, corrections left out: they are in the ledger, and on each call's page."""
    events = UsageEvent.objects.filter(customer=customer, occurred_at__gte=timezone.now() - SUMMED_OVER)
    sums = events.values("model", "operation").annotate(
        calls=Count("pk"),
        failed=Count("pk", filter=Q(status=UsageStatus.FAILED)),
        tokens=Sum("input_tokens") + Sum("output_tokens"),
        charged=Sum("credits"),
    )
    each = list(sums.order_by("-charged"))
    rows = [
        [
            one["model"] or one["operation"],
            f"{one['calls']:,}",
            f"{one['failed']:,}",
            f"{one['tokens']:,}",
            show_credits(one["charged"]),
        ]
        for one in each[:NEWEST]
    ]
    if each:
        calls, failed, tokens = (sum(one[name] for one in each) for name in ("calls", "failed", "tokens"))
        total = sum((one["charged"] for one in each), ZERO)
        rows.append(["All", f"{calls:,}", f"{failed:,}", f"{tokens:,}", show_credits(total)])
    return make_panel(
        title="Usage of 30 days",
        model=UsageEvent,
        headers=["Model or operation", "Calls", "Not charged", "Tokens", "Charged"],
        rows=rows,
        empty="No metered work in the last 30 days.",
    )


add_panels(build_usage_panels)
