"""Credit packs: what is for sale, edited by staff."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.audited import AuditedAdmin
from accounts.models import User
from accounts.network import client_address
from billing import wake
from billing.admin.base import page_action, show_credits, show_money, shown
from billing.admin.confirmations import confirmation_page
from billing.admin.links import link_to_stripe
from billing.errors import BillingError
from billing.models import CreditPack
from billing.services.gateway import configured_gateway
from billing.services.price_adoption import adopt_pack_price

_VERSION_PAGE = "billing_creditpack_simple_history"


class PriceForm(forms.Form):
    """Which price of Stripe's."""

    price_id = forms.CharField(
        label="Price id at Stripe",
        max_length=255,
        strip=True,
        widget=UnfoldAdminTextInputWidget({"placeholder": "price_…", "autocomplete": "off"}),
        help_text="An active one-time price of exactly this pack's amount and currency.",
    )


class PackRowForm(forms.ModelForm):  # type: ignore[type-arg]  # Django has no generic one at run time
    """What is edited in the list; the columns' heads are no labels, so each field names its pack."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{field.label}: {self.instance.name}"


@admin.register(CreditPack)
class CreditPackAdmin(AuditedAdmin, SimpleHistoryAdmin, ModelAdmin):  # type: ignore[misc]
    """Packs, in the order of the buy page. A pack that was sold keeps its address and cannot be deleted."""

    list_display = ("name", "slug", "credits_shown", "price_shown", "is_active", "position", "stripe_shown")
    list_filter = ("is_active", "currency")
    list_editable = ("position", "is_active")
    search_fields = ("slug", "name", "stripe_price_id", "stripe_product_id")
    search_help_text = "Name, slug, or a price's or product's id at Stripe"
    readonly_fields = ("stripe_shown", "product_shown")
    actions_detail = ("adopt_price",)
    object_history_form_template = "admin/billing/pack_version.html"
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "is_active", "position")}),
        ("What it brings", {"fields": ("credits", "bonus_credits", "lifetime_days")}),
        ("What it costs", {"fields": ("price_minor", "currency")}),
        (
            "At Stripe",
            {
                "fields": ("stripe_shown", "product_shown"),
                "description": "Made by sync_stripe_catalog, or adopted with the button above.",
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: CreditPack | None = None) -> tuple[str, ...]:
        match = request.resolver_match
        if match is not None and match.url_name == _VERSION_PAGE:
            return tuple(name for _, options in self.fieldsets for name in options["fields"])
        is_sold = obj is not None and obj.payments.exists()
        return (*self.readonly_fields, "slug") if is_sold else self.readonly_fields

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[forms.ModelForm[CreditPack]]:
        form: type[forms.ModelForm[CreditPack]] = super().get_changelist_form(
            request, **{"form": PackRowForm, **kwargs}
        )
        return form

    def get_prepopulated_fields(self, request: HttpRequest, obj: CreditPack | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def save_model(
        self, request: HttpRequest, obj: CreditPack, form: forms.ModelForm[CreditPack], change: bool
    ) -> None:
        """A changed price needs a successor at Stripe, whose prices cannot be changed."""
        super().save_model(request, obj, form, change)
        if obj.stripe_price_id and {"price_minor", "currency"} & set(form.changed_data):
            transaction.on_commit(partial(wake.wake_task, name=wake.SYNC_CATALOG))
            messages.warning(
                request,
                f"{obj} is being given its new price at Stripe; until then buying it is refused. If that lasts, run "
                "sync_stripe_catalog.",
            )

    def revert_disabled(self, request: HttpRequest, obj: CreditPack | None = None) -> bool:
        """An earlier version is looked at, and its values typed in anew where they are wanted again."""
        return True

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An earlier version, to look at: the library's view would save what is posted by whoever may see it."""
        if request.method != "GET":
            raise PermissionDenied
        page: HttpResponse = super().history_form_view(request, object_id, version_id, extra_context)
        return page

    @page_action("Adopt a Stripe price", url_path="adopt-price", permissions=["change"])
    def adopt_price(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the price's id; it is taken only when Stripe says that it costs what the pack costs."""
        pack: CreditPack | None = self.get_object(request, object_id)
        if pack is None:
            raise Http404
        if not self.has_change_permission(request, pack):
            raise PermissionDenied
        form = PriceForm(request.POST) if request.method == "POST" else PriceForm()
        back = reverse("admin:billing_creditpack_change", args=[pack.pk])
        if request.method == "POST" and form.is_valid():
            price_id = form.cleaned_data["price_id"]
            try:
                adopt_pack_price(
                    pack=pack,
                    price_id=price_id,
                    gateway=configured_gateway(),
                    actor=request.user if isinstance(request.user, User) else None,
                    address=client_address(request),
                )
            except BillingError as refusal:
                form.add_error("price_id", str(refusal))
            else:
                self.log_change(request, pack, f"Adopted the Stripe price {price_id}")
                messages.success(request, f"{pack} is sold by {price_id} from now on.")
                return redirect(back)
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Adopt a Stripe price",
            subtitle=str(pack),
            question=f"{pack} costs {show_money(pack.price_minor, pack.currency)}. Stripe is asked about the price.",
            button="Check and adopt",
            back=back,
            form=form,
        )

    @shown("Credits", ordering="credits")
    def credits_shown(self, pack: CreditPack) -> str:
        bonus = f" + {show_credits(pack.bonus_credits)}" if pack.bonus_credits else ""
        return show_credits(pack.credits) + bonus

    @shown("Price", ordering="price_minor")
    def price_shown(self, pack: CreditPack) -> str:
        return show_money(pack.price_minor, pack.currency)

    @shown("Stripe price")
    def stripe_shown(self, pack: CreditPack) -> SafeString | str:
        return link_to_stripe(pack.stripe_price_id)

    @shown("Stripe product")
    def product_shown(self, pack: CreditPack) -> SafeString | str:
        return link_to_stripe(pack.stripe_product_id)
