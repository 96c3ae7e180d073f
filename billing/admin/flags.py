"""Flags on customers, to look at; they are raised by what happens and lifted on the customer's page."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from billing.admin.base import shown
from billing.admin.ledger import OfCustomerAdmin
from billing.models import CustomerFlag

_NAMED_BY = ("", "dispute:", "fraud_warning:", "payment:")


@admin.register(CustomerFlag)
class CustomerFlagAdmin(OfCustomerAdmin):
    """Why staff should look at a customer, and what of it freezes spending."""

    list_display = ("raised_at", "customer_shown", "cause", "reason", "freezes", "state_shown", "ended_at")
    list_display_links = ("raised_at",)
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "freezes")
    list_select_related = ("customer__user",)
    search_help_text = "E-mail address, id of a customer or payment, id of a dispute or fraud warning"
    ordering = ("-raised_at", "-pk")
    fields = readonly_fields = (
        "customer_shown",
        "state_shown",
        "cause",
        "reason",
        "freezes",
        "raised_at",
        "ended_at",
        "ended_by",
        "ended_reason",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CustomerFlag], search_term: str
    ) -> tuple[QuerySet[CustomerFlag], bool]:
        """By what raised the flag, else by customer."""
        term = search_term.strip()
        raised = Q(cause__in=[f"{prefix}{term}" for prefix in _NAMED_BY])
        if term and queryset.filter(raised).exists():
            return queryset.filter(raised), False
        return super().get_search_results(request, queryset, search_term)

    @shown("State", label={"Stands": "warning", "Lifted": "success"})
    def state_shown(self, flag: CustomerFlag) -> str:
        return "Lifted" if flag.ended_at else "Stands"
