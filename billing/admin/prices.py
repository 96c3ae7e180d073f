"""Prices of models and operations: their versions, which one holds, what it brings in, and a new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.network import client_address
from billing.admin.base import NOTHING, ReadOnlyAdmin, link, page_action, page_address, show_credits, shown
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import ReasonForm
from billing.admin.panels import when
from billing.admin.price_list import MARGIN_DAYS, STATE_LABELS, InForceFilter, PriceChangeList, mark_rows
from billing.admin.price_page import MODELS, OPERATIONS, PriceKind, Version, version_page
from billing.admin.refund_page import acting_user
from billing.errors import InvalidRequest
from billing.models import OperationPrice, PricingConfig
from billing.selectors.margins import Margin, read_models_at_default_price
from billing.services.prices import withdraw_operation_price, withdraw_price


class PriceAdmin(ReadOnlyAdmin):
    """What both kinds of prices share. Whoever has the right to add one may set it; nobody changes or deletes one."""

    kind: ClassVar[PriceKind]
    withdraw_from_offer: ClassVar[Callable[..., Version]]
    list_filter: ClassVar[tuple[Any, ...]] = (InForceFilter, "is_offered")
    list_select_related = ("created_by",)
    actions_list = ("new_price",)
    actions_detail = ("new_version", "withdraw")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PriceChangeList]:
        return PriceChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            mark_rows([row], model=self.kind.model, kind=self.kind.name)  # type: ignore[arg-type]  # model or operation
        return row

    def has_set_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(f"billing.add_{self.opts.model_name}"))

    @page_action("New price", url_path="new-price", permissions=["set"])
    def new_price(self, request: HttpRequest) -> HttpResponse:
        """The price of something that has none yet."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return version_page(model_admin=self, request=request, kind=self.kind, shown=None)

    @page_action("New version", url_path="new-version", permissions=["set"])
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The next price of the same thing, whichever of its versions one has come from."""
        return version_page(model_admin=self, request=request, kind=self.kind, shown=self._find(request, object_id))

    @page_action("Withdraw", url_path="withdraw", permissions=["set"])
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End the offer from now on, after a reason is given."""
        row = self._find(request, object_id)
        name = getattr(row, self.kind.name)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                version = type(self).withdraw_from_offer(
                    **{self.kind.name: name},
                    note=form.cleaned_data["reason"],
                    actor=acting_user(request),
                    address=client_address(request),
                )
            except InvalidRequest as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"{name} is no longer offered.")
                return redirect(page_address(version))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Withdraw",
            subtitle=name,
            question=f"From now on {name} is refused. Work that has begun is charged as it was held.",
            button="Withdraw",
            back=page_address(row),
            form=form,
            lines=[
                f"A version is set to start on {when(later.effective_from)}, and offers it again."
                for later in self.kind.versions(name=name)
                if later.effective_from > timezone.now() and later.is_offered
            ],
        )

    def _find(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    @shown("State", label=STATE_LABELS)
    def state_shown(self, version: Any) -> str:
        return str(version.state)

    @shown(f"In {MARGIN_DAYS} days")
    def charged_shown(self, version: Any) -> str:
        margin: Margin | None = version.margin
        if margin is None or not margin.calls:
            return NOTHING
        return f"{margin.calls:,} call{pluralize(margin.calls)}, ${margin.charged_usd:,.2f}"

    @shown("Our cost")
    def cost_shown(self, version: Any) -> str:
        margin: Margin | None = version.margin
        return NOTHING if margin is None or not margin.calls else f"${margin.cost_usd:,.2f}"

    @shown("Margin")
    def margin_shown(self, version: Any) -> str:
        margin: Margin | None = version.margin
        return NOTHING if margin is None or margin.percent is None else f"{margin.percent:.1f} %"

    @shown("Markup", ordering="markup_percent")
    def markup_shown(self, version: Any) -> str:
        return f"{version.markup_percent.normalize():f} %"

    @shown("Set by")
    def set_by(self, version: Any) -> str:
        return str(version.created_by) if version.created_by else "the system"

    @shown("All versions")
    def versions_shown(self, version: Any) -> SafeString:
        """When each version started, who set it and why; newest first."""
        all_versions = self.kind.model._default_manager.filter(**{self.kind.name: getattr(version, self.kind.name)})
        lines = (
            (
                link(page_address(each), when(each.effective_from)),
                "" if each.is_offered else " (withdrawn)",
                self.set_by(each),
                each.note or "no reason given",
            )
            for each in all_versions.select_related("created_by").order_by("-effective_from")
        )
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}{}, by {}: {}</li>", lines))


def show_usd(amount: Decimal | None) -> str:
    """Dollars with all their places, without zeros at the end."""
    return NOTHING if amount is None else f"${amount.normalize():f}"


@admin.register(PricingConfig)
class ModelPriceAdmin(PriceAdmin):
    """Prices of language models, in US dollars of cost for 1,000 tokens."""

    kind = MODELS
    withdraw_from_offer = staticmethod(withdraw_price)
    list_display = (
        "model",
        "state_shown",
        "effective_from",
        "input_shown",
        "cached_shown",
        "output_shown",
        "markup_shown",
        "charged_shown",
        "cost_shown",
        "margin_shown",
        "set_by",
    )
    list_filter = (*PriceAdmin.list_filter, "provider")
    search_fields = ("model", "provider", "note")
    search_help_text = "Model, provider, or why it was set"
    fields = readonly_fields = (
        "id",  # what correct_usage --price names
        "model",
        "provider",
        "state_shown",
        "effective_from",
        "is_offered",
        "input_shown",
        "cached_shown",
        "output_shown",
        "request_shown",
        "markup_shown",
        "output_reserve_tokens",
        "charged_shown",
        "cost_shown",
        "margin_shown",
        "note",
        "set_by",
        "created_at",
        "versions_shown",
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; above it which models were served at the default price and should get one of their own."""
        unpriced = read_models_at_default_price(since=timezone.now() - timedelta(days=MARGIN_DAYS))
        if unpriced and request.method == "GET" and self.has_view_permission(request):
            told = ", ".join(f"{model} ({calls:,} call{pluralize(calls)})" for model, calls in unpriced.items())
            messages.warning(
                request, f"Charged at the default price in {MARGIN_DAYS} days: {told}. Give them their own."
            )
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page

    @shown("Input, 1k", ordering="input_usd_per_1k")
    def input_shown(self, version: PricingConfig) -> str:
        return show_usd(version.input_usd_per_1k)

    @shown("Cached, 1k", ordering="cached_input_usd_per_1k")
    def cached_shown(self, version: PricingConfig) -> str:
        return show_usd(version.cached_input_usd_per_1k)

    @shown("Output, 1k", ordering="output_usd_per_1k")
    def output_shown(self, version: PricingConfig) -> str:
        return show_usd(version.output_usd_per_1k)

    @shown("A request", ordering="request_usd")
    def request_shown(self, version: PricingConfig) -> str:
        return show_usd(version.request_usd)


@admin.register(OperationPrice)
class OperationPriceAdmin(PriceAdmin):
    """Fixed prices of operations, in credits or in US dollars of cost."""

    kind = OPERATIONS
    withdraw_from_offer = staticmethod(withdraw_operation_price)
    list_display = (
        "operation",
        "name",
        "state_shown",
        "effective_from",
        "price_shown",
        "markup_shown",
        "charged_shown",
        "cost_shown",
        "margin_shown",
        "set_by",
    )
    search_fields = ("operation", "name", "note")
    search_help_text = "Operation, name, or why it was set"
    fields = readonly_fields = (
        "operation",
        "name",
        "state_shown",
        "effective_from",
        "is_offered",
        "price_shown",
        "markup_shown",
        "charged_shown",
        "cost_shown",
        "margin_shown",
        "note",
        "set_by",
        "created_at",
        "versions_shown",
    )

    @shown("Price of one")
    def price_shown(self, version: OperationPrice) -> str:
        return f"{show_credits(version.credits)} credits" if version.credits is not None else show_usd(version.usd)
