"""Refunds that staff asked for: what became of each, and the second person's decision."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.network import client_address
from billing.admin.base import (
    ReadOnlyAdmin,
    StateFilter,
    customer_of,
    link,
    link_to,
    page_action,
    page_address,
    show_money,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import DecisionForm
from billing.admin.links import link_to_stripe
from billing.admin.refund_page import acting_user, describe_preview, tell_outcome
from billing.admin.search import FoundByCustomer
from billing.errors import BillingError
from billing.models import RefundRequest, RefundRequestState
from billing.services.gateway import configured_gateway
from billing.services.refund_preview import preview_refund
from billing.services.refund_sending import send_refund
from billing.services.refunds import MAY_DECIDE, MAY_REQUEST, approve_refund, decline_refund

_STATE_COLOURS = {
    "Waits for approval": "warning",
    "Ready to be sent": "info",
    "Sent, answer unknown": "warning",
    "Accepted by Stripe": "success",
    "Refused by Stripe": "danger",
    "Declined": "primary",
    "Expired": "primary",
}
# The buttons of a request's page by its state.
_BUTTONS = {
    RefundRequestState.WAITING: ("approve", "decline"),
    RefundRequestState.READY: ("send_now",),
    RefundRequestState.SENT: ("send_now",),
}


class RequestStateFilter(StateFilter):
    states = RefundRequestState


@admin.register(RefundRequest)
class RefundRequestAdmin(FoundByCustomer, ReadOnlyAdmin):
    """Requests, newest first; those that wait are decided on their page."""

    list_display = (
        "requested_at",
        "public_id",
        "customer_shown",
        "amount_shown",
        "state_shown",
        "requested_by",
        "approved_by",
    )
    list_filter = (RequestStateFilter, "reason_code", "currency", ("requested_at", admin.DateFieldListFilter))
    list_display_links = ("requested_at", "public_id")
    list_select_related = ("payment__customer__user", "requested_by", "approved_by")
    ordering = ("-requested_at", "-pk")
    customer_path = "payment__customer"
    payment_path = "payment"
    own_names = ("public_id", "refund_id", "stripe_idempotency_key")
    actions_detail = ("approve", "decline", "send_now")
    readonly_fields = ("payment_shown", "customer_shown", "amount_shown", "state_shown", "refund_shown", "ticket_shown")
    fieldsets = (
        (None, {"fields": ("public_id", "payment_shown", "customer_shown", "amount_shown", "state_shown")}),
        ("Why", {"fields": ("reason_code", "note", "ticket_shown", "requested_by", "requested_at")}),
        (
            "Second person",
            {"fields": ("limit_reason", "decide_until", "decision", "approved_by", "decided_at", "decision_note")},
        ),
        ("At Stripe", {"fields": ("refund_shown", "refusal", "sent_at", "answered_at", "stripe_idempotency_key")}),
    )

    def has_decide_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_DECIDE))

    def has_send_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_REQUEST) or request.user.has_perm(MAY_DECIDE))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what makes sense now."""
        row = self.get_object(request, str(object_id))
        offered = _BUTTONS.get(RefundRequestState(row.state), ()) if row is not None else ()
        names = tuple(f"refundrequest_{name}" for name in offered)
        actions = super().get_actions_detail(request, object_id)
        return [each for each in actions if names and each.action_name.endswith(names)]

    def get_fieldsets(self, request: HttpRequest, obj: RefundRequest | None = None) -> Any:
        """Nothing about a second person where none is needed."""
        fieldsets = super().get_fieldsets(request, obj)
        is_small = obj is not None and not obj.needs_approval
        return [each for each in fieldsets if each[0] != "Second person"] if is_small else fieldsets

    @page_action("Approve", url_path="approve", permissions=["decide"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first, then approve and send."""
        return self._decide(request, self._row(request, object_id), is_approval=True)

    @page_action("Decline", url_path="decline", permissions=["decide"])
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then decline."""
        return self._decide(request, self._row(request, object_id), is_approval=False)

    @page_action("Ask Stripe now", url_path="send", permissions=["send"])
    def send_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send what is ready, or ask again for an answer that never came; the same key never refunds twice."""
        row = self._row(request, object_id)
        if request.method == "POST":
            actor, address = acting_user(request), client_address(request)
            sent = send_refund(request_id=row.public_id, gateway=configured_gateway(), actor=actor, address=address)
            tell_outcome(request, sent)
            return redirect(page_address(row))
        return confirmation_page(
            model_admin=self,
            request=request,
            title="Ask Stripe now",
            subtitle=row.public_id,
            question="Stripe is asked for this refund with its own key: however often it is asked, one refund is made.",
            button="Ask Stripe",
            back=page_address(row),
        )

    def _row(self, request: HttpRequest, object_id: str) -> RefundRequest:
        row: RefundRequest | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _decide(self, request: HttpRequest, row: RefundRequest, *, is_approval: bool) -> HttpResponse:
        if row.state != RefundRequestState.WAITING:
            messages.info(request, f"It waits for nobody: {RefundRequestState(row.state).label.lower()}.")
            return redirect(page_address(row))
        form = DecisionForm(request.POST or None, is_note_needed=not is_approval)
        if form.is_valid():
            act = approve_refund if is_approval else decline_refund
            actor, address = acting_user(request), client_address(request)
            try:
                decided = act(request_id=row.public_id, actor=actor, address=address, note=form.cleaned_data["note"])
                if is_approval:
                    decided = send_refund(
                        request_id=row.public_id, gateway=configured_gateway(), actor=actor, address=address
                    )
            except BillingError as refusal:
                messages.error(request, str(refusal))
            else:
                tell_outcome(request, decided) if is_approval else messages.success(request, "Declined.")
            return redirect(page_address(row))
        title = "Approve the refund" if is_approval else "Decline the refund"
        preview = preview_refund(payment=row.payment, amount_minor=row.amount_minor, now=timezone.now())
        return confirmation_page(
            model_admin=self,
            request=request,
            title=title,
            subtitle=f"{row.payment}, asked for by {row.requested_by}",
            question=f"{row.get_reason_code_display()}: {row.note}",
            button=title,
            back=page_address(row),
            form=form,
            lines=[f"{label}: {value}" for label, value in describe_preview(preview)],
        )

    @shown("Customer")
    def customer_shown(self, row: RefundRequest) -> SafeString | str:
        return customer_of(row.payment)

    @shown("Payment")
    def payment_shown(self, row: RefundRequest) -> SafeString | str:
        return link_to(row.payment)

    @shown("Amount", ordering="amount_minor")
    def amount_shown(self, row: RefundRequest) -> str:
        return show_money(row.amount_minor, row.currency)

    @shown("State", ordering="state", label=_STATE_COLOURS)
    def state_shown(self, row: RefundRequest) -> str:
        return RefundRequestState(row.state).label

    @shown("Refund at Stripe")
    def refund_shown(self, row: RefundRequest) -> SafeString | str:
        return link_to_stripe(row.refund_id)

    @shown("Ticket")
    def ticket_shown(self, row: RefundRequest) -> SafeString | str:
        return link(row.ticket, row.ticket) if row.ticket else "–"
