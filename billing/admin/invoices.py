"""Invoices with their lines and credit notes, to look at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing.admin.base import ReadOnlyAdmin, ReadOnlyInline, customer_of, link_to, show_credits, show_money, shown
from billing.admin.links import link_to_stripe
from billing.models import CreditNote, Invoice, InvoiceLine


class InvoiceLineInline(ReadOnlyInline):
    """What a plan's invoice is for."""

    model = InvoiceLine
    verbose_name_plural = "Lines"
    fields = readonly_fields = ("description", "quantity", "amount_shown", "starts_at", "ends_at", "credits_shown")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        rows: QuerySet[InvoiceLine] = super().get_queryset(request)
        return rows.select_related("invoice")

    @shown("Amount")
    def amount_shown(self, line: InvoiceLine) -> str:
        return show_money(line.amount_minor, line.invoice.currency)

    @shown("Credits of one period")
    def credits_shown(self, line: InvoiceLine) -> str:
        return show_credits(line.unit_credits)


class CreditNoteInline(ReadOnlyInline):
    """What the invoice asked less for, or what of its money went back."""

    model = CreditNote
    verbose_name_plural = "Credit notes"
    fields = readonly_fields = ("stripe", "total_shown", "ways_shown", "issued_at", "voided_at")
    ordering = ("-issued_at",)

    @shown("Credit note")
    def stripe(self, note: CreditNote) -> SafeString | str:
        return link_to_stripe(note.credit_note_id)

    @shown("Total")
    def total_shown(self, note: CreditNote) -> str:
        return show_money(note.total_minor, note.currency)

    @shown("What it did")
    def ways_shown(self, note: CreditNote) -> str:
        """Each way by which its money went."""
        by_refunds = note.total_minor - note.before_payment_minor - note.credited_minor
        ways = (
            (note.before_payment_minor, "less to pay"),
            (by_refunds, "refunded"),
            (note.to_balance_minor, "into the balance at Stripe"),
            (note.elsewhere_minor, "outside of Stripe"),
        )
        return ", ".join(f"{show_money(amount, note.currency)} {how}" for amount, how in ways if amount)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    """Invoices of packs and plans as Stripe told them last."""

    list_display = ("__str__", "customer_shown", "status", "total_shown", "tax_shown", "billing_reason", "created_at")
    list_filter = ("status", "billing_reason", "currency")
    list_select_related = ("customer__user",)
    search_fields = ("number", "invoice_id", "subscription_id", "customer__public_id", "customer__user__email")
    search_help_text = "Number, invoice, subscription, customer or e-mail address"
    ordering = ("-pk",)
    fields = (
        "number",
        "customer_shown",
        "status",
        "total_shown",
        "tax_shown",
        "due_shown",
        "paid_shown",
        "balance_shown",
        "credited_shown",
        "payment_shown",
        "subscription_shown",
        "billing_reason",
        "attempt_count",
        "created_at",
        "paid_at",
        "stripe",
        "read_at",
    )
    readonly_fields = (
        "customer_shown",
        "total_shown",
        "tax_shown",
        "due_shown",
        "paid_shown",
        "balance_shown",
        "credited_shown",
        "payment_shown",
        "subscription_shown",
        "stripe",
    )
    inlines = (InvoiceLineInline, CreditNoteInline)

    @shown("Customer")
    def customer_shown(self, invoice: Invoice) -> SafeString | str:
        return customer_of(invoice)

    @shown("Invoice")
    def stripe(self, invoice: Invoice) -> SafeString | str:
        return link_to_stripe(invoice.invoice_id)

    @shown("Subscription")
    def subscription_shown(self, invoice: Invoice) -> SafeString | str:
        return link_to_stripe(invoice.subscription_id)

    @shown("Payment")
    def payment_shown(self, invoice: Invoice) -> SafeString | str:
        return link_to(invoice.payment)

    @shown("Total", ordering="total_minor")
    def total_shown(self, invoice: Invoice) -> str:
        return show_money(invoice.total_minor, invoice.currency)

    @shown("Tax")
    def tax_shown(self, invoice: Invoice) -> str:
        return show_money(invoice.tax_minor or None, invoice.currency)

    @shown("Due in money")
    def due_shown(self, invoice: Invoice) -> str:
        return show_money(invoice.amount_due_minor, invoice.currency)

    @shown("Paid in money")
    def paid_shown(self, invoice: Invoice) -> str:
        return show_money(invoice.amount_paid_minor, invoice.currency)

    @shown("Paid from the customer's balance at Stripe; below zero it went there")
    def balance_shown(self, invoice: Invoice) -> str:
        return show_money(invoice.from_balance_minor or None, invoice.currency)

    @shown("Taken off by credit notes before it was paid")
    def credited_shown(self, invoice: Invoice) -> str:
        return show_money(invoice.credited_before_minor or None, invoice.currency)
