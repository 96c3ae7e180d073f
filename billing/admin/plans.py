"""Plans, which staff edit; subscriptions, to look at."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.audited import AuditedAdmin
from accounts.models import User
from accounts.network import client_address
from billing.admin.base import (
    ReadOnlyAdmin,
    ReadOnlyInline,
    customer_of,
    page_action,
    show_credits,
    show_money,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.links import link_to_stripe
from billing.errors import BillingError
from billing.models import Plan, PlanPrice, Subscription
from billing.services.gateway import configured_gateway
from billing.services.plan_price_adoption import adopt_plan_price


class AgreedPriceForm(forms.Form):
    """Which price of Stripe's, and what a period of it brings."""

    price_id = forms.CharField(
        label="Price id at Stripe",
        max_length=255,
        widget=UnfoldAdminTextInputWidget({"placeholder": "price_…", "autocomplete": "off"}),
        help_text="An active price that is paid each month or each year.",
    )
    credits = forms.DecimalField(
        label="Credits for one period of one seat",
        min_value=0,
        max_digits=20,
        decimal_places=6,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
        help_text="It cannot be changed afterwards.",
    )


class PlanPriceInline(ReadOnlyInline):
    """What the plan is or was paid with; added by its page's button, never changed."""

    model = PlanPrice
    verbose_name_plural = "Prices at Stripe"
    fields = readonly_fields = ("stripe", "amount_shown", "interval", "credits_shown", "is_current", "created_at")
    ordering = ("-pk",)

    @shown("Price")
    def stripe(self, price: PlanPrice) -> SafeString | str:
        return link_to_stripe(price.stripe_price_id)

    @shown("Amount")
    def amount_shown(self, price: PlanPrice) -> str:
        return show_money(price.amount_minor, price.currency)

    @shown("Credits")
    def credits_shown(self, price: PlanPrice) -> str:
        return show_credits(price.credits)


@admin.register(Plan)
class PlanAdmin(AuditedAdmin, ModelAdmin):  # type: ignore[misc]
    """Plans, from the smallest to the largest. One that was subscribed to keeps its address and cannot be deleted."""

    list_display = ("name", "slug", "credits_shown", "price_shown", "interval", "is_active", "rank")
    list_filter = ("is_active", "interval")
    search_fields = ("slug", "name", "prices__stripe_price_id", "stripe_product_id")
    search_help_text = "Name, slug, or a price's or product's id at Stripe"
    readonly_fields = ("product_shown",)
    inlines = (PlanPriceInline,)
    actions_detail = ("add_price",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "features", "rank", "is_active")}),
        (
            "What it brings and costs",
            {
                "fields": ("credits", "price_minor", "currency", "interval"),
                "description": "A change holds for new subscriptions, once sync_stripe_catalog has made its price.",
            },
        ),
        ("Credits that are left", {"fields": ("rollover", "rollover_cap")}),
        ("Trial", {"fields": ("trial_days", "trial_credits")}),
        (
            "Limits",
            {"fields": ("requests_per_minute", "max_call_tokens", "models_allowed", "max_api_keys")},
        ),
        ("At Stripe", {"fields": ("product_shown",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        is_sold = obj is not None and (obj.subscriptions.exists() or obj.payments.exists())
        return (*self.readonly_fields, "slug") if is_sold else self.readonly_fields

    @page_action("Add an agreed price", url_path="add-price", permissions=["change"])
    def add_price(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the price's id; it is taken only when Stripe says that it can be the price of a plan."""
        plan: Plan | None = self.get_object(request, object_id)
        if plan is None:
            raise Http404
        if not self.has_change_permission(request, plan):
            raise PermissionDenied
        form = AgreedPriceForm(request.POST) if request.method == "POST" else AgreedPriceForm()
        back = reverse("admin:billing_plan_change", args=[plan.pk])
        if request.method == "POST" and form.is_valid():
            try:
                price = adopt_plan_price(
                    plan=plan,
                    price_id=form.cleaned_data["price_id"],
                    credits=form.cleaned_data["credits"],
                    gateway=configured_gateway(),
                    actor=request.user if isinstance(request.user, User) else None,
                    address=client_address(request),
                )
            except BillingError as refusal:
                form.add_error("price_id", str(refusal))
            else:
                self.log_change(request, plan, f"Added the Stripe price {price.stripe_price_id}")
                messages.success(request, f"Subscriptions at {price.stripe_price_id} belong to {plan} from now on.")
                return redirect(back)
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Add an agreed price",
            subtitle=str(plan),
            question="Stripe is asked about the price. What it brings cannot be changed afterwards.",
            button="Check and add",
            back=back,
            form=form,
        )

    @shown("Credits", ordering="credits")
    def credits_shown(self, plan: Plan) -> str:
        return show_credits(plan.credits)

    @shown("Price", ordering="price_minor")
    def price_shown(self, plan: Plan) -> str:
        return "By agreement" if plan.is_by_agreement else show_money(plan.price_minor, plan.currency)

    @shown("Stripe product")
    def product_shown(self, plan: Plan) -> SafeString | str:
        return link_to_stripe(plan.stripe_product_id)


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Subscriptions as Stripe told them last; they are changed at Stripe."""

    list_display = (
        "subscription_id",
        "customer_shown",
        "plan",
        "status",
        "price_shown",
        "period_end",
        "cancel_at",
        "next_plan",
    )
    list_filter = ("status", "plan", ("changes_at", admin.EmptyFieldListFilter))
    list_select_related = ("customer__user", "plan", "next_plan")
    search_fields = ("subscription_id", "customer__public_id", "customer__user__email", "customer__stripe_customer_id")
    search_help_text = "Subscription, customer or e-mail address"
    ordering = ("-pk",)
    fields = (
        "customer_shown",
        "plan",
        "status",
        "price_shown",
        "quantity",
        "period_start",
        "period_end",
        "cancel_at",
        "next_plan",
        "changes_at",
        "trial_end",
        "past_due_since",
        "pause_behavior",
        "started_at",
        "canceled_at",
        "ended_at",
        "stripe",
        "items",
        "read_at",
    )
    readonly_fields = ("stripe", "customer_shown", "price_shown")

    @shown("Customer")
    def customer_shown(self, subscription: Subscription) -> SafeString | str:
        return customer_of(subscription)

    @shown("At Stripe")
    def stripe(self, subscription: Subscription) -> SafeString | str:
        return link_to_stripe(subscription.subscription_id)

    @shown("Price", ordering="price_minor")
    def price_shown(self, subscription: Subscription) -> str:
        return f"{show_money(subscription.price_minor, subscription.currency)} a {subscription.interval or 'period'}"
