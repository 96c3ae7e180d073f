"""Vouchers: batches with what staff do to them, their codes as far as they are known, and who has used them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from accounts.network import client_address
from billing.admin.base import (
    NOTHING,
    ReadOnlyAdmin,
    StateFilter,
    link,
    link_to,
    list_address,
    page_action,
    page_address,
    show_credits,
    shown,
)
from billing.admin.confirmations import confirmation_page
from billing.admin.forms import DecisionForm, ReasonForm
from billing.admin.ledger import OfCustomerAdmin
from billing.admin.refund_page import acting_user
from billing.admin.voucher_page import codes_as_csv, make_page
from billing.errors import BillingError
from billing.models import VoucherBatch, VoucherBatchState, VoucherCode, VoucherRedemption
from billing.services.voucher_batches import (
    MAY_DECIDE,
    MAY_ISSUE,
    approve_vouchers,
    check_may_decide_on,
    decline_vouchers,
    disable_vouchers,
    may_disable,
)

_STATE_COLOURS = {"Waits for approval": "warning", "Active": "success", "Declined": "danger", "Disabled": "danger"}


class BatchStateFilter(StateFilter):
    states = VoucherBatchState


@admin.register(VoucherBatch)
class VoucherBatchAdmin(ReadOnlyAdmin):
    """Vouchers by the batches in which they were made. Terms never change: a batch is disabled, and another made."""

    list_display = (
        "requested_at",
        "name",
        "credits_shown",
        "code_count",
        "used_shown",
        "total_shown",
        "valid_until",
        "state_shown",
        "requested_by",
    )
    list_display_links = ("requested_at", "name")
    list_filter = (BatchStateFilter,)
    list_select_related = ("requested_by",)
    ordering = ("-requested_at", "-pk")
    search_fields = ("name", "public_id", "requested_by__email")
    search_help_text = "Name, id of a batch (vb_…), or who made it"
    actions_list = ("make",)
    actions_detail = ("approve", "decline", "disable")
    fields = readonly_fields = (
        "public_id",
        "name",
        "state_shown",
        "credits_shown",
        "code_count",
        "uses_per_code",
        "uses_per_customer",
        "used_shown",
        "total_shown",
        "codes_shown",
        "valid_from",
        "valid_until",
        "lifetime_days",
        "credits_expire_at",
        "note",
        "requested_by",
        "requested_at",
        "limit_reason",
        "decide_until",
        "decider_shown",
        "decided_at",
        "decision_note",
        "disabled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoucherBatch]:
        rows: QuerySet[VoucherBatch] = super().get_queryset(request)
        return rows.annotate(used=Count("codes__redemptions"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.codes)
        return [path("<path:object_id>/codes/", view, name="billing_voucherbatch_codes"), *super().get_urls()]

    def has_issue_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether vouchers may be made: a right of its own."""
        return bool(request.user.has_perm(MAY_ISSUE))

    def has_decide_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether vouchers that others made may be approved or declined, as credits of others."""
        return bool(request.user.has_perm(MAY_DECIDE))

    def has_disable_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may_disable(actor=acting_user(request))

    def get_actions_detail(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Only what can be done to this batch, by just this person."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        batch = self.get_object(request, str(object_id))
        if batch is None:
            return []
        names = {"disable"} if batch.state == VoucherBatchState.ACTIVE else set()
        if not self._refusal(request, batch):
            names = {"approve", "decline"}
        return [action for action in offered if any(action.action_name.endswith(name) for name in names)]

    @page_action("Make vouchers", url_path="make", permissions=["issue"])
    def make(self, request: HttpRequest) -> HttpResponse:
        """The terms, what they could bring, and the codes, once."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return make_page(model_admin=self, request=request)

    def codes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The codes that were just made, as a file; they are sent by the page that shows them."""
        if not self.has_issue_permission(request):
            raise PermissionDenied
        return codes_as_csv(request=request, batch=self._find(request, object_id))

    @page_action("Approve", url_path="approve", permissions=["decide"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decision_page(request, object_id, is_approval=True)

    @page_action("Decline", url_path="decline", permissions=["decide"])
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decision_page(request, object_id, is_approval=False)

    @page_action("Disable", url_path="disable", permissions=["disable"])
    def disable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End the batch for good, after a reason is given."""
        batch, form = self._find(request, object_id), ReasonForm(request.POST or None)

        def act() -> VoucherBatch:
            return disable_vouchers(
                batch_id=batch.public_id,
                actor=acting_user(request),
                address=client_address(request),
                reason=form.cleaned_data["reason"],
            )

        question = "From now on its codes are unknown, for good. Credits that they brought stay."
        return self._act(request, batch, form, act, title="Disable", question=question, done="Disabled.")

    def _decision_page(self, request: HttpRequest, object_id: str, *, is_approval: bool) -> HttpResponse:
        batch = self._find(request, object_id)
        if refusal := self._refusal(request, batch):
            messages.error(request, refusal)
            return redirect(page_address(batch))
        sent = request.POST if request.method == "POST" else None
        form = DecisionForm(sent, is_note_needed=not is_approval)
        decide = approve_vouchers if is_approval else decline_vouchers

        def act() -> VoucherBatch:
            return decide(
                batch_id=batch.public_id,
                actor=acting_user(request),
                address=client_address(request),
                note=form.cleaned_data["note"],
            )

        title, done = ("Approve", "Approved.") if is_approval else ("Decline", "Declined. The codes never work.")
        question = f"{batch.code_count:,} codes, which can bring {show_credits(batch.total_credits)} credits in all."
        return self._act(request, batch, form, act, title=title, question=question, done=done)

    def _act(
        self,
        request: HttpRequest,
        batch: VoucherBatch,
        form: Any,
        act: Callable[[], VoucherBatch],
        *,
        title: str,
        question: str,
        done: str,
    ) -> HttpResponse:
        """Ask; after the confirmation do it and show the batch, or say why it was refused."""
        if request.method == "POST" and form.is_valid():
            try:
                act()
            except BillingError as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, done)
                return redirect(page_address(batch))
        return confirmation_page(
            model_admin=self,
            request=request,
            title=title,
            subtitle=batch.name,
            question=question,
            button=title,
            back=page_address(batch),
            form=form,
            lines=_facts(batch),
        )

    def _find(self, request: HttpRequest, object_id: str) -> VoucherBatch:
        batch: VoucherBatch | None = self.get_object(request, object_id)
        if batch is None:
            raise Http404
        if not self.has_view_permission(request, batch):
            raise PermissionDenied
        return batch

    def _refusal(self, request: HttpRequest, batch: VoucherBatch) -> str:
        """Why this person cannot decide on this batch; empty where they can."""
        try:
            check_may_decide_on(batch=batch, actor=acting_user(request))
        except BillingError as refusal:
            return str(refusal)
        return ""

    @shown("Credits", ordering="credits")
    def credits_shown(self, batch: VoucherBatch) -> str:
        return show_credits(batch.credits)

    @shown("Used", ordering="used")
    def used_shown(self, batch: Any) -> str:
        return f"{batch.used:,} of {batch.code_count * batch.uses_per_code:,}"

    @shown("At most", ordering="total_credits")
    def total_shown(self, batch: VoucherBatch) -> str:
        return show_credits(batch.total_credits)

    @shown("State", ordering="state", label=_STATE_COLOURS)
    def state_shown(self, batch: VoucherBatch) -> str:
        return VoucherBatchState(batch.state).label

    @shown("Codes")
    def codes_shown(self, batch: VoucherBatch) -> SafeString:
        return link(list_address(VoucherCode, {"batch__id__exact": batch.pk}), "Codes and what is left of them")

    @shown("Decided by")
    def decider_shown(self, batch: VoucherBatch) -> SafeString | str:
        return link_to(batch.approved_by)


def _facts(batch: VoucherBatch) -> list[str]:
    """What a colleague should know before they act."""
    facts = [
        f"Made by {batch.requested_by}: {batch.note}",
        f"Each use brings {show_credits(batch.credits)} credits; a code has {batch.uses_per_code:,}.",
    ]
    return [*facts, f"Why it waits: {batch.limit_reason}"] if batch.limit_reason else facts


@admin.register(VoucherCode)
class VoucherCodeAdmin(ReadOnlyAdmin):
    """Codes, by the four letters that are known of them."""

    list_display = ("code_shown", "batch_shown", "uses_left")
    list_filter = (("batch", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("batch",)
    ordering = ("-pk",)
    search_fields = ("=last_four", "batch__name", "=batch__public_id")
    search_help_text = "The last four letters, or a batch's name or id"
    fields = readonly_fields = ("code_shown", "batch_shown", "uses_left", "uses_shown")

    @shown("Code")
    def code_shown(self, voucher: VoucherCode) -> str:
        return str(voucher)

    @shown("Batch")
    def batch_shown(self, voucher: VoucherCode) -> SafeString | str:
        return link_to(voucher.batch)

    @shown("Uses")
    def uses_shown(self, voucher: VoucherCode) -> SafeString | str:
        count = voucher.redemptions.count()
        address = list_address(VoucherRedemption, {"code__id__exact": voucher.pk})
        return link(address, f"{count:,} so far") if count else NOTHING


@admin.register(VoucherRedemption)
class VoucherRedemptionAdmin(OfCustomerAdmin):
    """Who has used which code."""

    list_display = ("redeemed_at", "customer_shown", "batch_shown", "code_shown", "credits_shown")
    list_display_links = ("redeemed_at",)
    list_select_related = ("customer__user", "code__batch", "entry")
    ordering = ("-redeemed_at", "-pk")
    own_names = ("public_id", "code__batch__public_id", "entry__idempotency_key")
    fields = readonly_fields = (
        "public_id",
        "customer_shown",
        "batch_shown",
        "code_shown",
        "number",
        "credits_shown",
        "redeemed_at",
        "entry_shown",
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "code__id__exact" or super().lookup_allowed(lookup, value, request)

    @shown("Batch")
    def batch_shown(self, redemption: VoucherRedemption) -> SafeString | str:
        return link_to(redemption.code.batch)

    @shown("Code")
    def code_shown(self, redemption: VoucherRedemption) -> SafeString | str:
        return link_to(redemption.code)

    @shown("Credits")
    def credits_shown(self, redemption: VoucherRedemption) -> str:
        return show_credits(redemption.entry.amount)

    @shown("Entry")
    def entry_shown(self, redemption: VoucherRedemption) -> SafeString | str:
        return link_to(redemption.entry)
