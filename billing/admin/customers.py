"""A customer's page: what they have and had, and what staff may do for them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from billing.admin.adjustments import adjustment_page, write_off_page
from billing.admin.base import NOTHING, ReadOnlyAdmin, link_to, page_action, show_credits, shown
from billing.admin.customer_acts import ActsOnCustomer
from billing.admin.customer_panels import build_panels
from billing.admin.links import link_to_stripe
from billing.admin.search import customer_ids_for, payments_for
from billing.models import AutoTopUp, BillingCustomer, TopUpState
from billing.money import ZERO


@admin.register(BillingCustomer)
class CustomerAdmin(ActsOnCustomer, ReadOnlyAdmin):
    """Customers, with their balance, their newest rows and what may be done by hand."""

    list_display = (
        "name_shown",
        "public_id",
        "available_shown",
        "held_shown",
        "state_shown",
        "stripe_shown",
        "created_at",
    )
    list_filter = (
        ("balance__frozen_at", admin.EmptyFieldListFilter),
        ("flagged_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("user", "balance")
    search_fields = ("public_id",)
    search_help_text = "E-mail address; id of a customer, session, payment, charge, refund or dispute, Stripe's or ours"
    ordering = ("-pk",)
    fields = ("public_id", "user_shown", "stripe_shown", "flagged_at", "flag_reason", "created_at")
    readonly_fields = fields
    actions_detail = (
        "adjust",
        "write_off",
        "freeze",
        "unfreeze",
        "clear_flag",
        "overdraft",
        "turn_off_top_up",
        "add_note",
    )
    change_form_outer_before_template = "admin/billing/customer_panels.html"

    def has_adjust_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether credits may be given or taken by hand: a right of its own."""
        return bool(request.user.has_perm("billing.adjust_credits"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BillingCustomer], search_term: str
    ) -> tuple[QuerySet[BillingCustomer], bool]:
        """By e-mail address or id of the customer, else by any name of one of their payments."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = customer_ids_for(term) or [customer_id for _, customer_id in payments_for(term)]
        return queryset.filter(pk__in=found), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        customer = self.get_object(request, object_id)
        panels: dict[str, Any] = {}
        if customer is not None and self.has_view_permission(request, customer):
            panels = {
                **build_panels(customer=customer, request=request),
                **self.notes_of(request, customer),
                "customer_flag": customer.flag_reason if customer.flagged_at else "",
                "frozen_reason": customer.balance.frozen_reason if customer.balance.frozen_at else "",
            }
        page: HttpResponse = super().change_view(request, object_id, form_url, {**panels, **(extra_context or {})})
        return page

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what makes sense now: no freezing of the frozen, no clearing without a flag."""
        customer = self.get_object(request, str(object_id))
        hidden = {"add_note"}  # its form is on the page
        if customer is not None:
            hidden.add("freeze" if customer.balance.frozen_at else "unfreeze")
            hidden |= set() if customer.flagged_at else {"clear_flag"}
            hidden |= set() if customer.balance.posted < 0 else {"write_off"}
            can_end = AutoTopUp.objects.filter(pk=customer.pk).exclude(state=TopUpState.OFF).exists()
            hidden |= set() if can_end else {"turn_off_top_up"}
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(tuple(f"customer_{name}" for name in hidden))]

    @page_action("Give or take credits", url_path="adjust", permissions=["adjust"])
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return adjustment_page(model_admin=self, request=request, customer=self.seen_customer(request, object_id))

    @page_action("Write off the debt", url_path="write-off", permissions=["adjust"])
    def write_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return write_off_page(model_admin=self, request=request, customer=self.seen_customer(request, object_id))

    @shown("Customer", ordering="user__email")
    def name_shown(self, customer: BillingCustomer) -> str:
        return str(customer)

    @shown("Available", ordering=F("balance__posted") - F("balance__held"))
    def available_shown(self, customer: BillingCustomer) -> str:
        balance = customer.balance
        return show_credits(max(ZERO, balance.posted - balance.held + balance.overdraft_limit))

    @shown("Held", ordering="balance__held")
    def held_shown(self, customer: BillingCustomer) -> str:
        return show_credits(customer.balance.held)

    @shown("State", label={"Frozen": "danger", "Flagged": "warning", "In debt": "warning"})
    def state_shown(self, customer: BillingCustomer) -> str:
        if customer.balance.frozen_at:
            return "Frozen"
        if customer.flagged_at:
            return "Flagged"
        return "In debt" if customer.balance.posted < 0 else NOTHING

    @shown("Stripe customer", ordering="stripe_customer_id")
    def stripe_shown(self, customer: BillingCustomer) -> SafeString | str:
        return link_to_stripe(customer.stripe_customer_id)

    @shown("User")
    def user_shown(self, customer: BillingCustomer) -> SafeString | str:
        return link_to(customer.user)
