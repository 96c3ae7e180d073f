"""Codes that bring credits: made by staff in batches, redeemed by verified users."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When

from billing.models.approval import Approval
from billing.models.customer import BillingCustomer
from billing.models.fields import CreditsField, new_public_id
from billing.models.ledger_entry import LedgerEntry


def new_batch_id() -> str:
    return new_public_id("vb")


def new_redemption_id() -> str:
    return new_public_id("vr")


class VoucherBatchState(models.TextChoices):
    """Whether the codes of a batch work, as far as staff decide it; their dates and uses decide the rest."""

    ACTIVE = "active", "Active"
    WAITING = "waiting", "Waits for approval"
    DECLINED = "declined", "Declined"
    EXPIRED = "expired", "Not decided in time"
    DISABLED = "disabled", "Disabled"


class VoucherBatch(Approval):
    """The terms of codes that were made together, who made them, and who decided where that was needed."""

    public_id = models.CharField(max_length=40, unique=True, default=new_batch_id, editable=False)
    name = models.CharField(max_length=100, help_text="The customer reads it in the ledger.")
    credits = CreditsField(validators=[MinValueValidator(0)], help_text="What one use of one code brings.")
    code_count = models.PositiveIntegerField()
    uses_per_code = models.PositiveIntegerField(default=1, help_text="How often a code can be used, by all together.")
    uses_per_customer = models.PositiveIntegerField(default=1, help_text="How often one customer can use a code.")
    total_credits = CreditsField(help_text="What all uses of all codes would bring; this counts against the limits.")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: the codes do not expire.")
    lifetime_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days from the use until its credits expire."
    )
    credits_expire_at = models.DateTimeField(null=True, blank=True, help_text="Or one moment for all of them.")
    form_key = models.CharField(max_length=100, help_text="One form, one batch.")
    disabled_at = models.DateTimeField(null=True, blank=True)
    state = models.GeneratedField(
        expression=Case(
            When(disabled_at__isnull=False, then=Value("disabled")),
            When(Q(needs_approval=False) | Q(decision="approved"), then=Value("active")),
            When(decision="declined", then=Value("declined")),
            When(decision="expired", then=Value("expired")),
            default=Value("waiting"),
        ),
        output_field=models.CharField(max_length=10, choices=VoucherBatchState.choices),
        db_persist=True,
    )

    class Meta(Approval.Meta):
        verbose_name = "batch of vouchers"
        verbose_name_plural = "batches of vouchers"
        permissions = [("issue_vouchers", "Can make and disable vouchers")]
        constraints = [
            *Approval.Meta.constraints,
            models.UniqueConstraint(fields=["requested_by", "form_key"], name="billing_voucherbatch_form"),
            models.CheckConstraint(
                condition=Q(credits__gt=0, code_count__gt=0, uses_per_code__gt=0, uses_per_customer__gt=0),
                name="billing_voucherbatch_gives",
            ),
            models.CheckConstraint(
                condition=Q(total_credits=F("credits") * F("code_count") * F("uses_per_code")),
                name="billing_voucherbatch_total",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="billing_voucherbatch_dates",
            ),
            models.CheckConstraint(
                condition=Q(lifetime_days__isnull=True) | Q(credits_expire_at__isnull=True, lifetime_days__gt=0),
                name="billing_voucherbatch_one_lifetime",
            ),
        ]
        indexes = [
            models.Index(fields=["requested_by", "requested_at"], name="billing_voucherbatch_person"),
            models.Index(fields=["-requested_at"], name="billing_voucherbatch_requested"),
        ]

    def __str__(self) -> str:
        return self.name


class VoucherCode(models.Model):
    """One code. Only its hash is kept: 80 random bits cannot be found from it. The row is the lock of its uses."""

    batch = models.ForeignKey(VoucherBatch, on_delete=models.PROTECT, related_name="codes")
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, help_text="What people can tell it by.")
    uses_left = models.PositiveIntegerField()

    class Meta:
        verbose_name = "voucher"
        constraints = [models.CheckConstraint(condition=Q(uses_left__gte=0), name="billing_vouchercode_uses")]
        indexes = [models.Index(fields=["last_four"], name="billing_vouchercode_last_four")]

    def __str__(self) -> str:
        return f"…{self.last_four}"


class VoucherRedemption(models.Model):
    """One use of a code by one customer, with the entry that brought its credits."""

    public_id = models.CharField(max_length=40, unique=True, default=new_redemption_id, editable=False)
    code = models.ForeignKey(VoucherCode, on_delete=models.PROTECT, related_name="redemptions")
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="voucher_redemptions")
    number = models.PositiveIntegerField(help_text="Counts the customer's uses of the code from 1.")
    request_key = models.CharField(max_length=100, help_text="One form or one idempotency key, one use.")
    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, related_name="voucher_redemption")
    redeemed_at = models.DateTimeField()

    class Meta:
        verbose_name = "use of a voucher"
        verbose_name_plural = "uses of vouchers"
        constraints = [
            models.UniqueConstraint(fields=["code", "customer", "number"], name="billing_redemption_number"),
            models.UniqueConstraint(fields=["customer", "request_key"], name="billing_redemption_request"),
            models.CheckConstraint(condition=Q(number__gt=0), name="billing_redemption_number_from_one"),
        ]

    def __str__(self) -> str:
        return self.public_id


class VoucherGuess(models.Model):
    """A code that somebody sent and that brought nothing: who sends many of them has to wait."""

    customer = models.ForeignKey(BillingCustomer, on_delete=models.CASCADE, related_name="+", db_index=False)
    network_hash = models.CharField(max_length=64, blank=True)
    guessed_at = models.DateTimeField()

    class Meta:
        verbose_name = "wrong code"
        indexes = [
            models.Index(fields=["customer", "guessed_at"], name="billing_guess_customer"),
            models.Index(fields=["network_hash", "guessed_at"], name="billing_guess_network"),
            models.Index(fields=["guessed_at"], name="billing_guess_time"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} at {self.guessed_at}"
