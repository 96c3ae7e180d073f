"""Money that went back, to look at: refunds, disputes with what they moved, fraud warnings, movements of money."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.admin.base import ReadOnlyAdmin, ReadOnlyInline, customer_of, link_to, show_money, shown
from billing.admin.books import BooksPages
from billing.admin.links import link_to_stripe
from billing.admin.search import FoundByCustomer
from billing.models import DisputeMovement, FraudWarning, MoneyMovement, PaymentDispute, PaymentRefund

DISPUTE_STATES = {
    "Needs response": "danger",
    "Under review": "warning",
    "Appeal needs response": "danger",
    "Appeal under review": "warning",
    "Warning needs response": "warning",
    "Warning under review": "info",
    "Warning closed": "success",
    "Won": "success",
    "Lost": "danger",
    "Prevented": "success",
}
REFUND_STATES = {
    "Succeeded": "success",
    "Pending": "info",
    "Requires action": "warning",
    "Failed": "danger",
    "Canceled": "warning",
}


def say_status(status: str) -> str:
    """Stripe's word for people: "Needs response" for `needs_response`; unknown ones are shown alike."""
    return status.replace("_", " ").capitalize() or "–"


class OfPaymentAdmin(FoundByCustomer, ReadOnlyAdmin):
    """Rows that belong to a payment."""

    list_select_related: Sequence[str] = ("payment__customer__user",)
    customer_path = "payment__customer"
    payment_path = "payment"

    @shown("Customer")
    def customer_shown(self, row: PaymentRefund | PaymentDispute | FraudWarning | MoneyMovement) -> SafeString | str:
        return customer_of(row.payment)

    @shown("Payment")
    def payment_shown(self, row: PaymentRefund | PaymentDispute | FraudWarning | MoneyMovement) -> SafeString | str:
        return link_to(row.payment)


@admin.register(PaymentRefund)
class RefundAdmin(OfPaymentAdmin):
    """Refunds as Stripe tells of them, whoever asked for them."""

    list_display = (
        "refunded_at",
        "customer_shown",
        "payment_shown",
        "amount_shown",
        "status_shown",
        "reason",
        "stripe",
    )
    list_filter = ("status", "is_dead", "currency", ("refunded_at", admin.DateFieldListFilter))
    list_display_links = ("refunded_at",)
    ordering = ("-refunded_at",)
    own_names = ("refund_id",)
    fields = readonly_fields = (
        "stripe",
        "payment_shown",
        "customer_shown",
        "amount_shown",
        "status_shown",
        "reason",
        "refunded_at",
        "is_dead",
        "dead_at",
    )

    @shown("Amount", ordering="amount_minor")
    def amount_shown(self, refund: PaymentRefund) -> str:
        return show_money(refund.amount_minor, refund.currency)

    @shown("Status", ordering="status", label=REFUND_STATES)
    def status_shown(self, refund: PaymentRefund) -> str:
        return say_status(refund.status)

    @shown("Refund at Stripe")
    def stripe(self, refund: PaymentRefund) -> SafeString | str:
        return link_to_stripe(refund.refund_id)


class MovementInline(ReadOnlyInline):
    """What a dispute has moved. The amounts are in the currency of Stripe's balance, which a movement does not name."""

    model = DisputeMovement
    verbose_name_plural = "Money that it moved (minor units of the currency of Stripe's balance)"
    fields = readonly_fields = ("occurred_at", "amount_minor", "balance_transaction_id")
    ordering = ("occurred_at", "pk")


@admin.register(PaymentDispute)
class DisputeAdmin(OfPaymentAdmin):
    """Disputes and inquiries of the customers' banks."""

    list_display = ("opened_at", "customer_shown", "payment_shown", "amount_shown", "status_shown", "reason", "stripe")
    list_filter = ("status", ("closed_at", admin.EmptyFieldListFilter), "currency", "reason")
    list_display_links = ("opened_at",)
    ordering = ("-opened_at",)
    own_names = ("dispute_id", "movements__balance_transaction_id")
    inlines = (MovementInline,)
    fields = readonly_fields = (
        "stripe",
        "payment_shown",
        "customer_shown",
        "amount_shown",
        "status_shown",
        "status_read_at",
        "reason",
        "opened_at",
        "closed_at",
    )

    @shown("Amount", ordering="amount_minor")
    def amount_shown(self, dispute: PaymentDispute) -> str:
        return show_money(dispute.amount_minor, dispute.currency)

    @shown("Status", ordering="status", label=DISPUTE_STATES)
    def status_shown(self, dispute: PaymentDispute) -> str:
        return say_status(dispute.status)

    @shown("Dispute at Stripe")
    def stripe(self, dispute: PaymentDispute) -> SafeString | str:
        return link_to_stripe(dispute.dispute_id)


@admin.register(DisputeMovement)
class DisputeMovementAdmin(FoundByCustomer, ReadOnlyAdmin):
    """What disputes moved, in minor units of the currency of Stripe's balance."""

    list_display = ("occurred_at", "balance_transaction_id", "amount_minor", "dispute_shown", "customer_shown")
    list_display_links = ("occurred_at", "balance_transaction_id")
    list_select_related = ("dispute__payment__customer__user",)
    list_filter = (("occurred_at", admin.DateFieldListFilter),)
    ordering = ("-occurred_at", "-pk")
    customer_path = "dispute__payment__customer"
    payment_path = "dispute__payment"
    own_names = ("balance_transaction_id", "dispute__dispute_id")
    fields = readonly_fields = (
        "dispute_shown",
        "customer_shown",
        "amount_minor",
        "occurred_at",
        "balance_transaction_id",
    )

    @shown("Dispute")
    def dispute_shown(self, movement: DisputeMovement) -> SafeString | str:
        return link_to(movement.dispute)

    @shown("Customer")
    def customer_shown(self, movement: DisputeMovement) -> SafeString | str:
        return customer_of(movement.dispute.payment)


@admin.register(FraudWarning)
class FraudWarningAdmin(OfPaymentAdmin):
    """Early warnings of the card networks."""

    list_display = ("warned_at", "customer_shown", "payment_shown", "fraud_type", "stripe")
    list_filter = ("fraud_type",)
    list_display_links = ("warned_at",)
    ordering = ("-warned_at",)
    own_names = ("warning_id",)
    fields = readonly_fields = ("stripe", "payment_shown", "customer_shown", "fraud_type", "warned_at")

    @shown("Warning at Stripe")
    def stripe(self, warning: FraudWarning) -> SafeString | str:
        return link_to_stripe(warning.warning_id)


@admin.register(MoneyMovement)
class MoneyMovementAdmin(BooksPages, OfPaymentAdmin):
    """How what was collected and given back of each payment grew and shrank. The books are made of these rows."""

    list_display = (
        "created_at",
        "payment_shown",
        "number",
        "collected_shown",
        "back_shown",
        "tax_shown",
        "entry_shown",
    )
    list_filter = ("currency", ("created_at", admin.DateFieldListFilter))
    list_select_related = ("payment__customer__user", "entry")
    list_display_links = ("created_at",)
    ordering = ("-pk",)
    fields = readonly_fields = (
        "payment_shown",
        "customer_shown",
        "number",
        "collected_shown",
        "back_shown",
        "tax_shown",
        "entry_shown",
        "occurred_at",
        "created_at",
    )

    @shown("Collected so far")
    def collected_shown(self, movement: MoneyMovement) -> str:
        return show_money(movement.collected_minor, movement.currency)

    @shown("Given back so far")
    def back_shown(self, movement: MoneyMovement) -> str:
        return show_money(movement.given_back_minor, movement.currency)

    @shown("Tax in it")
    def tax_shown(self, movement: MoneyMovement) -> str:
        return show_money(movement.tax_minor, movement.currency)

    @shown("Entry")
    def entry_shown(self, movement: MoneyMovement) -> SafeString | str:
        return link_to(movement.entry)
