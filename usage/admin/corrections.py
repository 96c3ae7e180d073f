"""Corrections of what usage was charged: a list, a new one after a preview, and taking one back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from accounts.audited import record_act
from accounts.network import client_address
from billing.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    ReadOnlyInline,
    customer_of,
    link_to,
    page_action,
    page_address,
    show_credits,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import ReasonForm
from billing.admin.panels import when
from billing.admin.refund_page import acting_user
from billing.errors import BillingError
from usage.admin.correction_page import correction_page, fault_of_finishing, is_too_large, shell_command
from usage.models import CorrectedUsage, UsageCorrection
from usage.selectors.corrections import sums_of_correction
from usage.services.corrections import MAY_CORRECT, finish_correction, reverse_correction

_STATE_COLOURS = {"Done": "success", "Not complete": "danger", "Taken back": "primary"}


class CorrectedUsageInline(ReadOnlyInline):
    """What it changed, call by call."""

    model = CorrectedUsage
    fk_name = "correction"
    verbose_name_plural = "Calls"
    fields = readonly_fields = ("usage_shown", "customer_shown", "amount_shown", "entry_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorrectedUsage]:
        rows: QuerySet[CorrectedUsage] = super().get_queryset(request)
        return rows.select_related("usage_event__customer__user", "entry").order_by("pk")

    @shown("Usage")
    def usage_shown(self, row: CorrectedUsage) -> SafeString | str:
        return link_to(row.usage_event)

    @shown("Customer")
    def customer_shown(self, row: CorrectedUsage) -> SafeString | str:
        return customer_of(row.usage_event)

    @shown("Given back, or taken")
    def amount_shown(self, row: CorrectedUsage) -> str:
        return show_credits(row.amount, signed=True)

    @shown("Entry")
    def entry_shown(self, row: CorrectedUsage) -> SafeString | str:
        return link_to(row.entry)


@admin.register(UsageCorrection)
class UsageCorrectionAdmin(ReadOnlyAdmin):
    """Corrections, newest first."""

    list_display = ("created_at", "public_id", "model", "period_shown", "what_shown", "state_shown", "actor")
    list_filter = (("completed_at", admin.EmptyFieldListFilter), ("created_at", admin.DateFieldListFilter))
    list_display_links = ("created_at", "public_id")
    list_select_related = ("actor", "price", "reverses", "reversed_by")
    search_fields = ("public_id", "model", "reason", "actor__email")
    search_help_text = "Id, model, reason, or who did it"
    ordering = ("-pk",)
    actions_list = ("correct",)
    actions_detail = ("reverse", "finish")
    inlines = (CorrectedUsageInline,)
    fields = readonly_fields = (
        "public_id",
        "state_shown",
        "model",
        "period_shown",
        "what_shown",
        "sums_shown",
        "reason",
        "actor",
        "created_at",
        "completed_at",
    )

    def has_correct_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether charges may be corrected: a right of its own."""
        return bool(request.user.has_perm(MAY_CORRECT))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what makes sense now."""
        correction = self.get_object(request, str(object_id))
        hidden = set() if correction is None else _hidden_buttons(correction)
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(tuple(f"_{name}" for name in hidden))]

    @page_action("Correct charges", url_path="correct", permissions=["correct"])
    def correct(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return correction_page(model_admin=self, request=request)

    @page_action("Take it back", url_path="reverse", permissions=["correct"])
    def reverse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        correction, form = self._seen(request, object_id), ReasonForm(request.POST or None)
        sums = sums_of_correction(correction=correction)
        if form.is_valid():
            if is_too_large(calls=sums.calls):
                messages.error(request, f"That many calls take the shell: {shell_command(reverse=correction)}")
                return redirect(page_address(correction))
            return self._do(request, correction, reason=form.cleaned_data["reason"])
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Take it back",
            subtitle=str(correction),
            question="Everything that this correction moved is moved back, by an entry for each call:",
            button="Take it back",
            back=page_address(correction),
            form=form,
            lines=[
                f"{sums.calls:,} calls of {sums.customers:,} customers",
                f"{show_credits(-sums.difference, signed=True)} credits",
            ],
        )

    @page_action("Finish it", url_path="finish", permissions=["correct"])
    def finish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        correction = self._seen(request, object_id)
        if request.method == "POST":
            if fault := fault_of_finishing(correction):
                messages.error(request, fault)
            else:
                _finish(request, correction)
            return redirect(page_address(correction))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Finish it",
            subtitle=str(correction),
            question="It broke off. What is done stays as it is; the calls that are left are corrected now.",
            button="Finish it",
            back=page_address(correction),
        )

    def _seen(self, request: HttpRequest, object_id: str) -> UsageCorrection:
        correction: UsageCorrection | None = self.get_object(request, object_id)
        if correction is None:
            raise Http404
        if not self.has_view_permission(request, correction):
            raise PermissionDenied
        return correction

    def _do(self, request: HttpRequest, correction: UsageCorrection, *, reason: str) -> HttpResponse:
        try:
            reversal = reverse_correction(
                correction=correction, reason=reason, actor=acting_user(request), address=client_address(request)
            )
        except BillingError as refusal:
            messages.error(request, str(refusal))
            return redirect(page_address(correction))
        messages.success(request, f"{correction.public_id} was taken back.")
        return redirect(page_address(reversal))

    @shown("Period, UTC")
    def period_shown(self, correction: UsageCorrection) -> str:
        return f"{when(correction.since)} to {when(correction.until)}"

    @shown("Charged as")
    def what_shown(self, correction: UsageCorrection) -> SafeString | str:
        if correction.reverses is not None:
            return f"as before {correction.reverses.public_id}"
        return str(correction.price or NOTHING)

    @shown("State", label=_STATE_COLOURS)
    def state_shown(self, correction: UsageCorrection) -> str:
        if correction.completed_at is None:
            return "Not complete"
        return "Taken back" if _is_reversed(correction) else "Done"

    @shown("Moved")
    def sums_shown(self, correction: UsageCorrection) -> str:
        sums = sums_of_correction(correction=correction)
        amount = show_credits(sums.difference, signed=True)
        return f"{amount} credits, {sums.calls:,} calls of {sums.customers:,} customers"


def _finish(request: HttpRequest, correction: UsageCorrection) -> None:
    """Finish it, and write down who did; why is with the correction itself."""
    if correction.completed_at is not None:
        messages.info(request, "It is complete already.")
        return
    with transaction.atomic():
        record_act(request=request, action="usagecorrection.finish", target=correction, reason=correction.reason)
    finish_correction(correction=correction)
    messages.success(request, "It is complete.")


def _is_reversed(correction: UsageCorrection) -> bool:
    return getattr(correction, "reversed_by", None) is not None


def _hidden_buttons(correction: UsageCorrection) -> set[str]:
    if correction.completed_at is None:
        return {"reverse"}
    is_final = correction.reverses_id is not None or _is_reversed(correction)
    return {"finish", "reverse"} if is_final else {"finish"}
