"""One attempt of a customer to pay, and the facts that Stripe told us about it."""

from django.db import models
from django.db.models import Case, Q, Value, When

from billing.models.auto_top_up import TopUpConsent
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField, new_public_id
from billing.models.pack import CreditPack
from billing.models.plan import Plan


def new_payment_id() -> str:
    return new_public_id("pay")


class PaymentKind(models.TextChoices):
    """What is paid for."""

    PACK = "pack", "Credit pack"
    CUSTOM = "custom", "Custom amount"
    PLAN = "plan", "Plan invoice"
    AUTO_TOP_UP = "auto_top_up", "Automatic top-up"


class PaymentState(models.TextChoices):
    """What the facts amount to."""

    PENDING = "pending", "Pending"
    PROCESSING = "processing", "Processing"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"
    PAID = "paid", "Paid"
    REVIEW = "review", "Under review"


class Payment(models.Model):
    """A payment: a snapshot of what was offered, and facts that only grow. Merged under its customer's balance lock."""

    public_id = models.CharField(max_length=40, unique=True, default=new_payment_id, editable=False)
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="payments")
    kind = models.CharField(max_length=20, choices=PaymentKind.choices)
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="payments")
    pack = models.ForeignKey(CreditPack, null=True, blank=True, on_delete=models.PROTECT, related_name="payments")
    created_at = models.DateTimeField(auto_now_add=True)

    # The intent: one form, one payment; the address is kept as a keyed hash for the limit on checkouts.
    form_key = models.CharField(max_length=100)
    network_hash = models.CharField(max_length=64, blank=True)

    # The snapshot taken before Stripe is called: what will be granted for what price.
    description = models.CharField(max_length=200)
    credits = CreditsField()
    bonus_credits = CreditsField(default=0)
    amount_minor = models.BigIntegerField(help_text="The price offered, before discount and tax.")
    currency = models.CharField(max_length=3)
    lifetime_days = models.PositiveIntegerField(null=True, blank=True)
    trial_days = models.PositiveSmallIntegerField(default=0, help_text="Of a plan: offered free at its beginning.")
    stripe_price_id = models.CharField(max_length=255, blank=True)
    takes_codes = models.BooleanField(default=True, help_text="Whether its checkout may ask for promotion codes.")
    min_paid_minor = models.BigIntegerField(
        default=0, help_text="What must still be paid after a promotion code, before tax."
    )
    ui_mode = models.CharField(max_length=20, default="embedded_page")
    stripe_idempotency_key = models.CharField(max_length=100, unique=True)

    # Of an automatic top-up: what allows it, and when Stripe was asked for it.
    consent = models.ForeignKey(
        TopUpConsent, null=True, blank=True, on_delete=models.PROTECT, related_name="payments", db_index=False
    )
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe was first asked for a top-up.")
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe was last asked for it.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="How often its outcome was asked for.")
    next_try_at = models.DateTimeField(null=True, blank=True, help_text="When an open top-up is looked after next.")

    # Whether the buyer wants the card saved, and when that was done.
    saves_card = models.BooleanField(default=False)
    card_saved_at = models.DateTimeField(null=True, blank=True)

    # Stripe's names for it.
    checkout_session_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    payment_intent_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    charge_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    invoice_id = models.CharField(max_length=255, blank=True)
    receipt_url = models.URLField(max_length=1000, blank=True)

    # Facts. A merge adds to them and takes nothing away.
    paid_at = models.DateTimeField(null=True, blank=True)
    paid_amount_minor = models.BigIntegerField(null=True, blank=True, help_text="What was collected, tax included.")
    paid_currency = models.CharField(max_length=3, blank=True)
    paid_subtotal_minor = models.BigIntegerField(null=True, blank=True, help_text="Before discount and tax.")
    paid_tax_minor = models.BigIntegerField(null=True, blank=True)
    paid_discount_minor = models.BigIntegerField(null=True, blank=True, help_text="What promotion codes took off.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When the checkout was completed.")
    failed_at = models.DateTimeField(null=True, blank=True, help_text="When a delayed payment finally failed.")
    expired_at = models.DateTimeField(null=True, blank=True, help_text="When the checkout expired.")
    failed_attempts = models.JSONField(default=dict, blank=True, help_text="By charge: code, message and time.")
    refused_at = models.DateTimeField(null=True, blank=True, help_text="When Stripe refused to open the checkout.")
    refusal = models.CharField(max_length=500, blank=True)

    # What went back, as sums over its refunds, disputes and credit notes (their rows have the facts).
    refunded_minor = models.BigIntegerField(default=0, help_text="By refunds that are not dead.")
    withdrawn_minor = models.BigIntegerField(default=0, help_text="By disputes.")
    credited_minor = models.BigIntegerField(default=0, help_text="By credit notes, without their refunds.")
    given_back_minor = models.BigIntegerField(default=0, help_text="All of it, at most what was collected.")
    movement_count = models.PositiveIntegerField(default=0, help_text="How many money movements it has.")

    mismatch = models.CharField(max_length=500, blank=True, help_text="Why what was paid was not granted.")
    accepted_at = models.DateTimeField(
        null=True, blank=True, help_text="When staff granted it although what was paid is not what was offered."
    )
    posting_count = models.PositiveIntegerField(default=0, help_text="How many entries it has: payment:(id):1 to n.")

    state = models.GeneratedField(
        expression=Case(
            When(~Q(mismatch=""), then=Value("review")),
            When(paid_at__isnull=False, then=Value("paid")),
            When(Q(failed_at__isnull=False) | Q(refused_at__isnull=False), then=Value("failed")),
            When(completed_at__isnull=False, then=Value("processing")),
            When(expired_at__isnull=False, then=Value("expired")),
            default=Value("pending"),
        ),
        output_field=models.CharField(max_length=10, choices=PaymentState.choices),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "form_key"], name="billing_payment_form_key"),
            models.CheckConstraint(
                condition=Q(credits__gt=0, bonus_credits__gte=0) | Q(kind="plan", credits=0, bonus_credits=0),
                name="billing_payment_credits",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) | Q(kind="plan", amount_minor__gte=0),
                name="billing_payment_amount_positive",
            ),
            models.CheckConstraint(
                condition=Q(paid_at__isnull=True) | Q(paid_amount_minor__gte=0, paid_currency__gt=""),
                name="billing_payment_paid_whole",
            ),
            models.CheckConstraint(
                condition=Q(kind="pack", pack__isnull=False)
                | Q(kind__in=["custom", "plan"], pack__isnull=True)
                | Q(kind="auto_top_up", pack__isnull=False, consent__isnull=False),
                name="billing_payment_pack",
            ),
            models.UniqueConstraint(
                fields=["customer"],
                condition=Q(kind="auto_top_up", paid_at__isnull=True, failed_at__isnull=True, refused_at__isnull=True),
                name="billing_payment_one_open_top_up",
            ),
        ]
        indexes = [
            models.Index(fields=["network_hash", "created_at"], name="billing_payment_network"),
            models.Index(fields=["created_at"], name="billing_payment_created"),
            models.Index(
                fields=["next_try_at"], name="billing_payment_top_up_due", condition=Q(next_try_at__isnull=False)
            ),
            models.Index(
                fields=["created_at"],
                name="billing_payment_card_unsaved",
                condition=Q(saves_card=True, card_saved_at__isnull=True, paid_at__isnull=False),
            ),
            models.Index(fields=["paid_at"], name="billing_payment_paid", condition=Q(paid_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.description}"

    @property
    def returned_minor(self) -> int:
        """What we gave back, by refunds and by credit notes: what the buyer calls refunded."""
        return self.refunded_minor + self.credited_minor
