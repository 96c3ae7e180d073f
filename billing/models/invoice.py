"""Invoices at Stripe, of packs and plans alike, and what their lines of plans are for."""

from django.db import models
from django.db.models import Q

from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField
from billing.models.payment import Payment
from billing.models.plan import Plan
from billing.models.triggers import append_only


class InvoiceStatus(models.TextChoices):
    """Stripe's words."""

    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    PAID = "paid", "Paid"
    UNCOLLECTIBLE = "uncollectible", "Uncollectible"
    VOID = "void", "Void"


class Invoice(models.Model):
    """An invoice as Stripe told it last. Paid and void are final."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="invoices")
    payment = models.OneToOneField(
        Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="invoice_mirror"
    )
    invoice_id = models.CharField(max_length=255, unique=True)
    subscription_id = models.CharField(max_length=255, blank=True, help_text="Empty: a pack's invoice is its receipt.")
    number = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=20)
    billing_reason = models.CharField(max_length=60, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField(help_text="Tax included; below zero it goes into the customer's balance.")
    tax_minor = models.BigIntegerField(default=0)
    amount_due_minor = models.BigIntegerField(default=0)
    amount_paid_minor = models.BigIntegerField(default=0, help_text="In money, not from the balance.")
    from_balance_minor = models.BigIntegerField(
        default=0, help_text="Paid from the customer's balance at Stripe; below zero: what went into it."
    )
    credited_before_minor = models.BigIntegerField(
        default=0, help_text="What credit notes took off before it was paid."
    )
    attempt_count = models.PositiveIntegerField(default=0)
    hosted_url = models.URLField(max_length=1000, blank=True)
    pdf_url = models.URLField(max_length=1000, blank=True)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(help_text="When the reading began that this row comes from.")

    class Meta:
        indexes = [
            models.Index(fields=["customer", "created_at"], name="billing_invoice_customer"),
            models.Index(fields=["subscription_id"], name="billing_invoice_subscription"),
        ]

    def __str__(self) -> str:
        return self.number or self.invoice_id


class PlanPeriod(models.Model):
    """A period of a subscription, told apart by its end. What its paid lines allow is what the ledger holds for it."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="plan_periods")
    subscription_id = models.CharField(max_length=255)
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    target_credits = CreditsField(
        default=0, help_text="The sum over its paid lines, never below zero, rounded down once."
    )
    succeeded_at = models.DateTimeField(
        null=True, blank=True, help_text="When its allowance ended or kept those before it: once, when it came first."
    )
    posting_count = models.PositiveIntegerField(default=0, help_text="How many entries it has: plan:(id):1 to n.")
    movement_count = models.PositiveIntegerField(default=0, help_text="How many movements of money it has.")

    class Meta:
        verbose_name = "plan period"
        constraints = [
            models.UniqueConstraint(fields=["subscription_id", "ends_at"], name="billing_plan_period_once"),
            models.CheckConstraint(condition=Q(target_credits__gte=0), name="billing_plan_period_target"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} to {self.ends_at:%Y-%m-%d}"


class InvoiceLine(models.Model):
    """A line of a plan's invoice, with the allowance of its price as it was when the line was read first."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    line_id = models.CharField(max_length=255, unique=True)
    period = models.ForeignKey(PlanPeriod, null=True, blank=True, on_delete=models.PROTECT, related_name="lines")
    price_id = models.CharField(max_length=255, blank=True)
    quantity = models.PositiveIntegerField(default=1)
    is_proration = models.BooleanField(default=False)
    description = models.CharField(max_length=500, blank=True)
    amount_minor = models.BigIntegerField(help_text="Before discount and tax; below zero for time that was not used.")
    discount_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    money_minor = models.BigIntegerField(
        default=0, help_text="What it adds to the total: less its discount, with tax on top."
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    unit_amount_minor = models.BigIntegerField(null=True, blank=True, help_text="Of the price; empty: it is unknown.")
    unit_credits = CreditsField(null=True, blank=True, help_text="The allowance of the price; empty: it is unknown.")

    class Meta:
        verbose_name = "invoice line"

    def __str__(self) -> str:
        return self.line_id


class PlanMovement(models.Model):
    """The money of a period, all in all, after a change of it: the ground of the books. Append-only."""

    period = models.ForeignKey(PlanPeriod, on_delete=models.PROTECT, related_name="movements", db_index=False)
    number = models.PositiveIntegerField(help_text="Counts the period's movements from 1 without a gap.")
    collected_minor = models.BigIntegerField(
        help_text="By lines, tax included, in money or from the customer's balance."
    )
    from_balance_minor = models.BigIntegerField(
        help_text="The part that came out of the balance at Stripe; negative: into it."
    )
    tax_minor = models.BigIntegerField(help_text="Tax in what was collected.")
    given_back_minor = models.BigIntegerField(help_text="Refunded or withdrawn so far, tax included.")
    kept_credits = CreditsField(default=0, help_text="The credits that the lines allow: the target of the period.")
    currency = models.CharField(max_length=3)
    entry = models.ForeignKey(
        "billing.LedgerEntry", null=True, blank=True, on_delete=models.PROTECT, related_name="plan_movements"
    )
    occurred_at = models.DateTimeField(help_text="When it happened at Stripe.")
    created_at = models.DateTimeField(help_text="When it was recorded.")

    class Meta:
        verbose_name = "plan movement"
        constraints = [models.UniqueConstraint(fields=["period", "number"], name="billing_plan_movement_number")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.period_id}:{self.number}"
