"""A customer's page: what they have and had, and what staff may do for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString

from billing.admin.adjustments import adjustment_page
from billing.admin.base import NOTHING, ReadOnlyAdmin, link_to, page_action, show_credits, shown
from billing.admin.confirmations import confirmation_page
from billing.admin.customer_panels import build_panels
from billing.admin.forms import ReasonForm
from billing.admin.links import link_to_stripe
from billing.admin.search import customer_ids_for, payments_for
from billing.models import BillingCustomer
from billing.money import ZERO
from billing.services.customers import clear_flags, freeze_customer, unfreeze_customer


@admin.register(BillingCustomer)
class CustomerAdmin(ReadOnlyAdmin):
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
    search_help_text = "E-mail address, id of Stripe's or ours, also of a payment"
    ordering = ("-pk",)
    fields = ("public_id", "user_shown", "stripe_shown", "flagged_at", "flag_reason", "created_at")
    readonly_fields = fields
    actions_detail = ("adjust", "freeze", "unfreeze", "clear_flag")
    change_form_outer_before_template = "admin/billing/customer_panels.html"

    def has_adjust_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether credits may be given or taken by hand: a right of its own."""
        return bool(request.user.has_perm("billing.adjust_credits"))

    def has_staff_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether customers may be frozen and flags cleared; the page itself stays read-only."""
        return bool(request.user.has_perm("billing.change_billingcustomer"))

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
                **build_panels(customer=customer),
                "customer_flag": customer.flag_reason if customer.flagged_at else "",
                "frozen_reason": customer.balance.frozen_reason if customer.balance.frozen_at else "",
            }
        page: HttpResponse = super().change_view(request, object_id, form_url, {**panels, **(extra_context or {})})
        return page

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what makes sense now: no freezing of the frozen, no clearing without a flag."""
        customer = self.get_object(request, str(object_id))
        hidden = set()
        if customer is not None:
            hidden.add("freeze" if customer.balance.frozen_at else "unfreeze")
            hidden |= set() if customer.flagged_at else {"clear_flag"}
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(tuple(f"customer_{name}" for name in hidden))]

    @page_action("Give or take credits", url_path="adjust", permissions=["adjust"])
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return adjustment_page(model_admin=self, request=request, customer=self._customer(request, object_id))

    @page_action("Freeze", url_path="freeze", permissions=["staff_change"])
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask_reason(
            request,
            self._customer(request, object_id),
            title="Freeze",
            question="Debits and holds are refused from now on. Running work is settled, and credits still come in.",
            act=freeze_customer,
            done="Frozen",
        )

    @page_action("Lift the freeze", url_path="unfreeze", permissions=["staff_change"])
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask_reason(
            request,
            self._customer(request, object_id),
            title="Lift the freeze",
            question="The customer may spend again.",
            act=unfreeze_customer,
            done="Freeze lifted",
        )

    @page_action("Clear the flag", url_path="clear-flag", permissions=["staff_change"])
    def clear_flag(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._ask_reason(
            request,
            self._customer(request, object_id),
            title="Clear the flag",
            question="Do this when what the flag is about has been dealt with.",
            act=clear_flags,
            done="Flag cleared",
        )

    def _customer(self, request: HttpRequest, object_id: str) -> BillingCustomer:
        customer: BillingCustomer | None = self.get_object(request, object_id)
        if customer is None:
            raise Http404
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        return customer

    def _ask_reason(
        self,
        request: HttpRequest,
        customer: BillingCustomer,
        *,
        title: str,
        question: str,
        act: Callable[..., None],
        done: str,
    ) -> HttpResponse:
        """Ask why, then act and write it down."""
        form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
        back = reverse("admin:billing_billingcustomer_change", args=[customer.pk])
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            act(customer_id=customer.pk, reason=reason)
            self.log_change(request, customer, f"{done}: {reason}")
            messages.success(request, f"{done}.")
            return redirect(back)
        return confirmation_page(
            model_admin=self,
            request=request,
            title=title,
            subtitle=str(customer),
            question=question,
            button=title,
            back=back,
            form=form,
        )

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
