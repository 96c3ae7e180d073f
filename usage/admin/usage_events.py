"""What customers used, to look at: each piece of work with its tokens, its cost and what was charged for it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from accounts.key_search import keys_like
from accounts.models import ApiKey
from billing.admin.base import (
    NOTHING,
    ReadOnlyInline,
    link,
    link_to,
    page_address,
    show_credits,
    show_json,
    shown,
)
from billing.admin.exports import ExportsRows
from billing.admin.ledger import OfCustomerAdmin
from billing.models import OperationPrice, PricingConfig
from usage.models import CorrectedUsage, UsageEvent
from usage.selectors.export import USAGE

_KEYS_LISTED = 30
_STATUS_COLOURS = {"Completed": "success", "Broken off": "warning", "Failed, not charged": "danger"}


class WorkFilter(admin.SimpleListFilter):
    """By model or operation: those that have a price, so that the list of usage is not read for its names."""

    title, parameter_name = "model or operation", "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        models = PricingConfig.objects.order_by("model").values_list("model", flat=True).distinct()
        operations = OperationPrice.objects.order_by("operation").values_list("operation", flat=True).distinct()
        return [(f"model:{name}", name) for name in models] + [(f"operation:{name}", name) for name in operations]

    def queryset(self, request: HttpRequest, queryset: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
        field, _, name = str(self.value() or "").partition(":")
        if field == "model":
            return queryset.filter(model=name)
        return queryset.filter(operation=name) if field == "operation" else queryset


class KeyFilter(admin.SimpleListFilter):
    """By API key: those that were used last; any other is found by its id in the search."""

    title, parameter_name = "API key", "key"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        keys = ApiKey.objects.filter(last_used_at__isnull=False).order_by("-last_used_at")[:_KEYS_LISTED]
        return [("none", "No key"), *((key.key_id, str(key)) for key in keys)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
        chosen = self.value()
        if chosen == "none":
            return queryset.filter(api_key__isnull=True)
        return queryset.filter(api_key__key_id=chosen) if chosen else queryset


class CorrectedUsageInline(ReadOnlyInline):
    """What corrections made of it."""

    model = CorrectedUsage
    verbose_name_plural = "Corrections"
    fields = readonly_fields = ("correction_shown", "amount_shown", "entry_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorrectedUsage]:
        rows: QuerySet[CorrectedUsage] = super().get_queryset(request)
        return rows.select_related("correction", "entry").order_by("pk")

    @shown("Correction")
    def correction_shown(self, row: CorrectedUsage) -> SafeString | str:
        return link_to(row.correction)

    @shown("Amount")
    def amount_shown(self, row: CorrectedUsage) -> str:
        return show_credits(row.amount, signed=True)

    @shown("Entry")
    def entry_shown(self, row: CorrectedUsage) -> SafeString | str:
        return link_to(row.entry)


@admin.register(UsageEvent)
class UsageEventAdmin(ExportsRows, OfCustomerAdmin):
    """Metered work, newest first."""

    list_display = (
        "occurred_at",
        "customer_shown",
        "work_shown",
        "tokens_shown",
        "credits_shown",
        "status_shown",
        "price_shown",
        "key_shown",
    )
    list_filter = (
        WorkFilter,
        KeyFilter,
        "status",
        "basis",
        "is_default_price",
        ("occurred_at", admin.DateFieldListFilter),
    )
    list_display_links = ("occurred_at",)
    list_select_related = ("customer__user", "api_key", "entry")
    ordering = ("-pk",)
    paginator = InfinitePaginator  # a count of all usage would be read for each page
    own_names = ("public_id", "event_id", "hold__public_id", "entry__idempotency_key")
    search_help_text = "E-mail address or id of the customer, id of the event, of its hold, or of the API key"
    export_sheets = (USAGE,)
    inlines = (CorrectedUsageInline,)
    fields = readonly_fields = (
        "public_id",
        "customer_shown",
        "event_id",
        "work_shown",
        "quantity",
        "status_shown",
        "failure",
        "basis",
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "cost_usd",
        "markup_percent",
        "price_shown",
        "version_shown",
        "estimated_shown",
        "held_shown",
        "credits_shown",
        "entry_shown",
        "hold_shown",
        "key_shown",
        "latency_ms",
        "occurred_at",
        "created_at",
        "metadata_shown",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        """By API key where the term is the beginning of one: what it did, not all that its owner's customer has."""
        keys = list(keys_like(search_term).values_list("pk", flat=True)[:_KEYS_LISTED])
        if keys:
            return queryset.filter(api_key__in=keys), False
        return super().get_search_results(request, queryset, search_term)

    @shown("Model or operation")
    def work_shown(self, event: UsageEvent) -> str:
        return event.model or f"{event.operation}{f' × {event.quantity:,}' if event.quantity > 1 else ''}"

    @shown("Tokens: in (cached), out")
    def tokens_shown(self, event: UsageEvent) -> str:
        if not event.model:
            return NOTHING
        return f"{event.input_tokens:,} ({event.cached_tokens:,}), {event.output_tokens:,}"

    @shown("Charged", ordering="credits")
    def credits_shown(self, event: UsageEvent) -> str:
        return show_credits(event.credits)

    @shown("Estimated")
    def estimated_shown(self, event: UsageEvent) -> str:
        return show_credits(event.estimated_credits)

    @shown("Held")
    def held_shown(self, event: UsageEvent) -> str:
        return show_credits(event.held_credits)

    @shown("Status", ordering="status", label=_STATUS_COLOURS)
    def status_shown(self, event: UsageEvent) -> str:
        return str(event.get_status_display())

    @shown("Price", label={"Default price": "warning"})
    def price_shown(self, event: UsageEvent) -> str:
        """Flagged where the model has no price of its own, so that staff give it one."""
        return "Default price" if event.is_default_price else NOTHING

    @shown("Charged by")
    def version_shown(self, event: UsageEvent) -> SafeString | str:
        version = event.price or event.operation_price
        return link_to(version) if version and admin.site.is_registered(type(version)) else str(version or NOTHING)

    @shown("API key")
    def key_shown(self, event: UsageEvent) -> SafeString | str:
        key = event.api_key
        return link(page_address(key), f"{key.name} (…{key.last_four})") if key else NOTHING

    @shown("Entry")
    def entry_shown(self, event: UsageEvent) -> SafeString | str:
        return link_to(event.entry)

    @shown("Hold")
    def hold_shown(self, event: UsageEvent) -> SafeString | str:
        return link_to(event.hold)

    @shown("Metadata")
    def metadata_shown(self, event: UsageEvent) -> SafeString | str:
        return show_json(json.dumps(event.metadata)) if event.metadata else NOTHING
