"""What stands beneath a payment: refunds, disputes, warnings, requests of staff, movements of money, entries."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from billing.admin.base import ReadOnlyInline, show_credits, shown
from billing.admin.refund_requests import RefundRequestAdmin
from billing.admin.refunds import DisputeAdmin, FraudWarningAdmin, MoneyMovementAdmin, RefundAdmin
from billing.models import FraudWarning, LedgerEntry, MoneyMovement, PaymentDispute, PaymentRefund, RefundRequest
from billing.money import format_money


class OfPaymentInline(ReadOnlyInline):
    """Rows beneath a payment, with a link to their own page."""

    show_change_link = True


class RefundInline(OfPaymentInline):
    model = PaymentRefund
    verbose_name_plural = "Refunds"
    fields = readonly_fields = ("refunded_at", "amount_shown", "status_shown", "reason", "dead_at", "stripe")
    ordering = ("-refunded_at",)
    amount_shown, status_shown, stripe = RefundAdmin.amount_shown, RefundAdmin.status_shown, RefundAdmin.stripe


class DisputeInline(OfPaymentInline):
    model = PaymentDispute
    verbose_name_plural = "Disputes and inquiries"
    fields = readonly_fields = ("opened_at", "amount_shown", "status_shown", "reason", "moved_shown", "stripe")
    ordering = ("-opened_at",)
    amount_shown, status_shown, stripe = DisputeAdmin.amount_shown, DisputeAdmin.status_shown, DisputeAdmin.stripe

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentDispute]:
        rows: QuerySet[PaymentDispute] = super().get_queryset(request)
        return rows.prefetch_related("movements")

    @shown("Moved")
    def moved_shown(self, dispute: PaymentDispute) -> str:
        """Each movement with its day, in the dispute's currency where Stripe's balance has the same."""
        moves = sorted(dispute.movements.all(), key=lambda moved: (moved.occurred_at, moved.pk))
        amounts = [format_money(amount_minor=moved.amount_minor, currency=dispute.currency) for moved in moves]
        days = [f"{moved.occurred_at:%d %b %Y}" for moved in moves]
        return ", ".join(f"{amount} on {day}" for amount, day in zip(amounts, days, strict=True)) or "Nothing"


class FraudWarningInline(OfPaymentInline):
    model = FraudWarning
    verbose_name_plural = "Fraud warnings"
    fields = readonly_fields = ("warned_at", "fraud_type", "stripe")
    ordering = ("-warned_at",)
    stripe = FraudWarningAdmin.stripe


class MoneyMovementInline(OfPaymentInline):
    model = MoneyMovement
    verbose_name_plural = "Money movements: the sums after each change"
    fields = readonly_fields = ("number", "occurred_at", "collected_shown", "back_shown", "tax_shown", "entry_shown")
    ordering = ("number",)
    collected_shown, back_shown = MoneyMovementAdmin.collected_shown, MoneyMovementAdmin.back_shown
    tax_shown, entry_shown = MoneyMovementAdmin.tax_shown, MoneyMovementAdmin.entry_shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[MoneyMovement]:
        rows: QuerySet[MoneyMovement] = super().get_queryset(request)
        return rows.select_related("entry")


class RefundRequestInline(OfPaymentInline):
    model = RefundRequest
    verbose_name_plural = "Refunds that staff asked for"
    fields = readonly_fields = ("requested_at", "amount_shown", "state_shown", "requested_by", "note", "refusal")
    ordering = ("-requested_at",)
    amount_shown, state_shown = RefundRequestAdmin.amount_shown, RefundRequestAdmin.state_shown


class EntryInline(OfPaymentInline):
    """The entries of a payment."""

    model = LedgerEntry
    fk_name = "payment"
    fields = readonly_fields = ("created_at", "kind", "amount_shown", "balance_shown", "idempotency_key")
    ordering = ("sequence",)

    @shown("Amount")
    def amount_shown(self, entry: LedgerEntry) -> str:
        return show_credits(entry.amount, signed=True)

    @shown("Balance after")
    def balance_shown(self, entry: LedgerEntry) -> str:
        return show_credits(entry.balance_after)
