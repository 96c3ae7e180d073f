"""Payments: what was offered, paid and given back, and what staff may do; and sign-up bonuses, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing.admin.base import NOTHING, StateFilter, show_credits, show_money, show_preformatted, shown
from billing.admin.exports import ExportsRows
from billing.admin.ledger import OfCustomerAdmin
from billing.admin.links import link_to_stripe
from billing.admin.payment_acts import ActsOnPayment
from billing.admin.payment_answers import tell_attempts, tell_credits
from billing.admin.payment_inlines import (
    DisputeInline,
    EntryInline,
    FraudWarningInline,
    MoneyMovementInline,
    RefundInline,
    RefundRequestInline,
)
from billing.models import Payment, PaymentState, SignupBonus
from billing.selectors.export_sheets import PAYMENTS

_STATE_COLOURS = {
    "Pending": "info",
    "Processing": "info",
    "Failed": "danger",
    "Expired": "warning",
    "Paid": "success",
    "Under review": "danger",
}


class PaymentStateFilter(StateFilter):
    states = PaymentState


class WentBackFilter(admin.SimpleListFilter):
    """By whether money of the payment went back, and how."""

    title, parameter_name = "money that went back", "back"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("refunded", "Refunded"),
            ("credited", "By a credit note"),
            ("disputed", "Withdrawn by a dispute"),
            ("none", "None"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        chosen = {
            "refunded": {"refunded_minor__gt": 0},
            "credited": {"credited_minor__gt": 0},
            "disputed": {"withdrawn_minor__gt": 0},
            "none": {"given_back_minor": 0},
        }
        return queryset.filter(**chosen.get(self.value() or "", {}))


@admin.register(Payment)
class PaymentAdmin(ActsOnPayment, ExportsRows, OfCustomerAdmin):
    """Attempts to pay, and what Stripe told us about each."""

    list_display = (
        "created_at",
        "public_id",
        "customer_shown",
        "description",
        "price_shown",
        "state_shown",
        "back_shown",
        "session_shown",
    )
    list_filter = (PaymentStateFilter, WentBackFilter, "kind", "currency")
    list_display_links = ("created_at", "public_id")
    ordering = ("-created_at", "-pk")
    customer_path = "customer"
    payment_path = "pk"
    export_sheets = (PAYMENTS,)
    inlines = (
        RefundInline,
        DisputeInline,
        FraudWarningInline,
        RefundRequestInline,
        MoneyMovementInline,
        EntryInline,
    )
    actions_detail = ("refund", "check_with_stripe", "grant_offered")
    readonly_fields = (
        "customer_shown",
        "state_shown",
        "answer_shown",
        "price_shown",
        "paid_shown",
        "back_shown",
        "subtotal_shown",
        "tax_shown",
        "credits_shown",
        "session_shown",
        "intent_shown",
        "charge_shown",
        "invoice_shown",
        "attempts_shown",
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "public_id",
                    "customer_shown",
                    "state_shown",
                    "answer_shown",
                    "mismatch",
                    "accepted_at",
                    "back_shown",
                    "description",
                    "created_at",
                )
            },
        ),
        (
            "Offered",
            {"fields": ("kind", "pack", "credits_shown", "price_shown", "lifetime_days", "stripe_price_id", "ui_mode")},
        ),
        ("At Stripe", {"fields": ("session_shown", "intent_shown", "charge_shown", "invoice_shown", "receipt_url")}),
        (
            "Facts",
            {
                "fields": (
                    "paid_at",
                    "paid_shown",
                    "subtotal_shown",
                    "tax_shown",
                    "completed_at",
                    "failed_at",
                    "expired_at",
                    "attempts_shown",
                    "refused_at",
                    "refusal",
                    "posting_count",
                )
            },
        ),
        ("Keys", {"fields": ("form_key", "stripe_idempotency_key", "network_hash")}),
    )

    def get_inlines(self, request: HttpRequest, obj: Payment | None) -> list[Any]:
        """Only what has rows, so that a plain payment's page stays short."""
        if obj is None:
            return []
        rows: tuple[Any, ...] = (
            obj.refunds,
            obj.disputes,
            obj.fraud_warnings,
            obj.refund_requests,
            obj.money_movements,
            obj.entries,
        )
        return [inline for inline, found in zip(self.inlines, rows, strict=True) if found.exists()]

    @shown("State", ordering="state", label=_STATE_COLOURS)
    def state_shown(self, payment: Payment) -> str:
        return PaymentState(payment.state).label

    @shown("What became of its credits")
    def answer_shown(self, payment: Payment) -> str:
        return tell_credits(payment)

    @shown("Price", ordering="amount_minor")
    def price_shown(self, payment: Payment) -> str:
        return show_money(payment.amount_minor, payment.currency)

    @shown("Paid for, before discount and tax")
    def subtotal_shown(self, payment: Payment) -> str:
        return show_money(payment.paid_subtotal_minor, payment.paid_currency)

    @shown("Tax in it")
    def tax_shown(self, payment: Payment) -> str:
        return show_money(payment.paid_tax_minor, payment.paid_currency)

    @shown("Paid")
    def paid_shown(self, payment: Payment) -> str:
        return show_money(payment.paid_amount_minor, payment.paid_currency)

    @shown("Went back", ordering="given_back_minor")
    def back_shown(self, payment: Payment) -> str:
        """How much went back, by what."""
        if not payment.given_back_minor:
            return NOTHING
        parts = [
            (payment.refunded_minor, "refunded"),
            (payment.credited_minor, "by credit notes"),
            (payment.withdrawn_minor, "withdrawn by disputes"),
        ]
        told = [f"{show_money(amount, payment.paid_currency)} {how}" for amount, how in parts if amount]
        return ", ".join(told)

    @shown("Credits")
    def credits_shown(self, payment: Payment) -> str:
        bonus = f" + {show_credits(payment.bonus_credits)} bonus" if payment.bonus_credits else ""
        return show_credits(payment.credits) + bonus

    @shown("Checkout session")
    def session_shown(self, payment: Payment) -> SafeString | str:
        return link_to_stripe(payment.checkout_session_id)

    @shown("Payment intent")
    def intent_shown(self, payment: Payment) -> SafeString | str:
        return link_to_stripe(payment.payment_intent_id)

    @shown("Charge")
    def charge_shown(self, payment: Payment) -> SafeString | str:
        return link_to_stripe(payment.charge_id)

    @shown("Invoice")
    def invoice_shown(self, payment: Payment) -> SafeString | str:
        return link_to_stripe(payment.invoice_id)

    @shown("Failed attempts")
    def attempts_shown(self, payment: Payment) -> SafeString | str:
        return show_preformatted(tell_attempts(payment))


@admin.register(SignupBonus)
class SignupBonusAdmin(OfCustomerAdmin):
    """Who has had the sign-up bonus; mailboxes and networks are keyed hashes."""

    list_display = ("granted_on", "customer_shown", "address_hash", "network_hash")
    ordering = ("-pk",)
    own_names = ("address_hash", "network_hash")
    fields = readonly_fields = ("customer_shown", "granted_on", "address_hash", "network_hash")
