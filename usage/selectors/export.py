"""Usage as it is exported: one row for each piece of work, with what corrections have made of it."""

import json
from decimal import Decimal
from typing import Any, Final

from django.db.models import DecimalField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from billing.selectors.export_cells import Cell
from billing.selectors.export_sheets import Sheet
from usage.models import CorrectedUsage, UsageEvent


def with_corrections(events: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
    """The events with `corrected`: what corrections gave back (positive) or took, in credits."""
    sums = CorrectedUsage.objects.filter(usage_event=OuterRef("pk")).order_by().values("usage_event")
    amount: DecimalField[Any, Any] = DecimalField(max_digits=24, decimal_places=6)
    corrected = Subquery(sums.annotate(total=Sum("amount")).values("total"), output_field=amount)
    return events.annotate(corrected=Coalesce(corrected, Value(Decimal(0)), output_field=amount))


def _cells(event: Any) -> tuple[Cell, ...]:
    key, entry, hold, corrected = event.api_key, event.entry, event.hold, Decimal(event.corrected)
    return (
        event.public_id,
        event.customer.public_id,
        event.event_id,
        event.occurred_at,
        event.created_at,
        f"{key.prefix}_{key.key_id}" if key else "",
        event.model,
        event.operation,
        event.quantity,
        event.status,
        event.basis,
        event.failure,
        event.input_tokens,
        event.cached_tokens,
        event.output_tokens,
        event.cost_usd,
        event.markup_percent,
        event.estimated_credits,
        event.held_credits,
        event.credits,
        corrected,
        event.credits - corrected,
        event.price_id or event.operation_price_id,
        "yes" if event.is_default_price else "no",
        hold.public_id if hold else "",
        entry.sequence if entry else None,
        event.latency_ms,
        json.dumps(event.metadata, ensure_ascii=False, sort_keys=True) if event.metadata else "",
    )


USAGE: Final = Sheet(
    name="usage",
    model=UsageEvent,
    columns=(
        *("usage", "customer", "event_id", "time_utc", "recorded_utc", "api_key", "model", "operation", "quantity"),
        *("status", "basis", "failure", "input_tokens", "cached_tokens", "output_tokens", "cost_usd", "markup_percent"),
        *("estimated_credits", "held_credits", "credits", "corrected", "net_credits", "price_version"),
        *("is_default_price", "hold", "entry_sequence", "latency_ms", "metadata"),
    ),
    cells=_cells,
    related=("customer", "api_key", "entry", "hold"),
    time="occurred_at",
    prepare=with_corrections,
)
