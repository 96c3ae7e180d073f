"""Manual credits and debits: the list of them, waiting ones first, and the pages on which a second person decides."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, F, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.network import client_address
from billing.admin.adjustments import Preview, balance_of, posted_message, signed_in
from billing.admin.base import NOTHING, StateFilter, link_to, page_action, page_address, show_credits, shown
from billing.admin.exports import ExportsRows
from billing.admin.forms import DecisionForm
from billing.admin.ledger import OfCustomerAdmin
from billing.errors import BillingError
from billing.models import Adjustment, AdjustmentState
from billing.selectors.export_sheets import ADJUSTMENTS
from billing.services.adjustments import MAY_DECIDE, approve_adjustment, decline_adjustment
from billing.services.approvals import check_may_decide, check_waits

TEMPLATE = "admin/billing/decide_adjustment.html"
_STATE_COLOURS = {"Waits for approval": "warning", "Posted": "success", "Declined": "danger", "Expired": "info"}


class AdjustmentStateFilter(StateFilter):
    states = AdjustmentState


@admin.register(Adjustment)
class AdjustmentAdmin(ExportsRows, OfCustomerAdmin):
    """What staff asked for by hand; the right to approve opens two buttons on what waits."""

    list_display = (
        "requested_at",
        "customer_shown",
        "amount_shown",
        "reason_code",
        "state_shown",
        "requested_by",
        "decide_until",
        "decider_shown",
    )
    list_display_links = ("requested_at",)
    list_filter = (AdjustmentStateFilter, "reason_code", "needs_approval")
    list_select_related = ("customer__user", "requested_by", "approved_by", "entry")
    ordering = (
        Case(When(state=AdjustmentState.WAITING, then=Value(0)), default=Value(1)),
        F("requested_at").desc(),
        F("pk").desc(),
    )
    own_names = ("public_id", "entry__idempotency_key")
    export_sheets = (ADJUSTMENTS,)
    actions_detail = ("approve", "decline")
    fields = readonly_fields = (
        "public_id",
        "customer_shown",
        "amount_shown",
        "balance_shown",
        "state_shown",
        "reason_code",
        "note",
        "ticket_shown",
        "is_write_off",
        "may_leave_debt",
        "requested_by",
        "requested_at",
        "limit_reason",
        "decide_until",
        "decider_shown",
        "decided_at",
        "decision_note",
        "entry_shown",
    )

    def has_decide_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether what others asked for may be approved or declined: a right of its own."""
        return bool(request.user.has_perm(MAY_DECIDE))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """No decision on what does not wait, nor by who may not decide on just this one."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        adjustment = self.get_object(request, str(object_id))
        return [] if adjustment is None or self._refusal(request, adjustment) else offered

    @page_action("Approve", url_path="approve", permissions=["decide"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decision_page(request, object_id, is_approval=True)

    @page_action("Decline", url_path="decline", permissions=["decide"])
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decision_page(request, object_id, is_approval=False)

    def _decision_page(self, request: HttpRequest, object_id: str, *, is_approval: bool) -> HttpResponse:
        """What it would do and why it was asked for; after the confirmation the adjustment's page."""
        adjustment: Adjustment | None = self.get_object(request, object_id)
        if adjustment is None:
            raise Http404
        if not self.has_view_permission(request, adjustment):
            raise PermissionDenied
        if refusal := self._refusal(request, adjustment):
            messages.error(request, refusal)
            return redirect(page_address(adjustment))
        sent = request.POST if request.method == "POST" else None
        form = DecisionForm(sent, is_note_needed=not is_approval)
        if form.is_valid() and self._decide(request, adjustment, form, is_approval=is_approval):
            return redirect(page_address(adjustment))
        context = {
            **self.admin_site.each_context(request),
            "title": "Approve" if is_approval else "Decline",
            "subtitle": str(adjustment),
            "opts": self.opts,
            "customer": adjustment.customer,
            "preview": _preview(adjustment),
            "facts": _facts(adjustment),
            "form": form,
            "back": page_address(adjustment),
        }
        return TemplateResponse(request, TEMPLATE, context)

    def _decide(self, request: HttpRequest, adjustment: Adjustment, form: DecisionForm, *, is_approval: bool) -> bool:
        """Decide, and say what became of it; whether the decision was taken."""
        decide = approve_adjustment if is_approval else decline_adjustment
        try:
            decided = decide(
                adjustment_id=adjustment.public_id,
                actor=signed_in(request),
                note=form.cleaned_data["note"],
                address=client_address(request),
            )
        except BillingError as refusal:
            form.add_error(None, str(refusal))
            return False
        messages.success(request, posted_message(decided) if is_approval else "Declined. Nothing was posted.")
        return True

    def _refusal(self, request: HttpRequest, adjustment: Adjustment) -> str:
        """Why this person cannot decide on this adjustment; empty where they can."""
        try:
            check_may_decide(
                approval=adjustment, customer=adjustment.customer, actor=signed_in(request), permission=MAY_DECIDE
            )
            check_waits(approval=adjustment, name=adjustment.public_id)
        except BillingError as refusal:
            return str(refusal)
        return ""

    @shown("Amount", ordering="amount")
    def amount_shown(self, adjustment: Adjustment) -> str:
        return show_credits(adjustment.amount, signed=True)

    @shown("Balance")
    def balance_shown(self, adjustment: Adjustment) -> str:
        """Before and after: of what was posted as it was, of what waits as it would be now."""
        entry = adjustment.entry
        if entry is not None:
            return f"{show_credits(entry.balance_after - entry.amount)} → {show_credits(entry.balance_after)}"
        if adjustment.state != AdjustmentState.WAITING:
            return NOTHING
        _, before, after = _preview(adjustment).rows()[0]
        return f"{before} → {after}, if it is approved now"

    @shown("State", ordering="state", label=_STATE_COLOURS)
    def state_shown(self, adjustment: Adjustment) -> str:
        return AdjustmentState(adjustment.state).label

    @shown("Decided by")
    def decider_shown(self, adjustment: Adjustment) -> SafeString | str:
        return link_to(adjustment.approved_by)

    @shown("Ticket")
    def ticket_shown(self, adjustment: Adjustment) -> SafeString | str:
        return _link_to_ticket(adjustment)

    @shown("Entry")
    def entry_shown(self, adjustment: Adjustment) -> SafeString | str:
        return link_to(adjustment.entry)


def _preview(adjustment: Adjustment) -> Preview:
    return Preview(
        amount=adjustment.amount,
        balance=balance_of(adjustment.customer),
        is_write_off=adjustment.is_write_off,
        may_leave_debt=adjustment.may_leave_debt,
    )


def _facts(adjustment: Adjustment) -> list[tuple[str, SafeString | str]]:
    """What the second person should know, as label and words."""
    kind = "Write-off" if adjustment.is_write_off else "Credit" if adjustment.amount > 0 else "Debit"
    leaves = ", which may leave a debt" if adjustment.may_leave_debt else ""
    facts: list[tuple[str, SafeString | str]] = [
        (kind, f"{show_credits(adjustment.amount, signed=True)} credits{leaves}"),
        ("Asked for by", f"{adjustment.requested_by}, {_when(adjustment.requested_at)}"),
        ("Reason", adjustment.get_reason_code_display()),
        ("Note", adjustment.note),
        ("Ticket", _link_to_ticket(adjustment)),
        ("Why it waits", adjustment.limit_reason),
    ]
    return [*facts, ("Decide by", _when(adjustment.decide_until))] if adjustment.decide_until else facts


def _link_to_ticket(adjustment: Adjustment) -> SafeString | str:
    """A link that opens beside the admin; only https addresses are taken, so it leads nowhere else."""
    if not adjustment.ticket:
        return NOTHING
    return format_html(
        '<a class="break-words font-medium text-primary-600 dark:text-primary-500" href="{0}" target="_blank" '
        'rel="noopener noreferrer">{0}</a>',
        adjustment.ticket,
    )


def _when(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j M Y, H:i")
