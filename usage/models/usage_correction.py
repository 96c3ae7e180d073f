"""Charges put right for a period in which a price was wrong."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.models.fields import CreditsField, new_public_id
from billing.models.triggers import append_only


def new_correction_id() -> str:
    return new_public_id("corr")


class UsageCorrection(models.Model):
    """One act of staff: the calls of a model in a period are charged as `price` says, or a correction is taken back."""

    public_id = models.CharField(max_length=40, unique=True, default=new_correction_id, editable=False)
    model = models.CharField(max_length=120)
    since = models.DateTimeField()
    until = models.DateTimeField(help_text="Not included.")
    price = models.ForeignKey("billing.PricingConfig", null=True, on_delete=models.PROTECT, related_name="+")
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by")
    reason = models.CharField(max_length=500)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True, help_text="Empty while some calls are not done yet.")

    class Meta:
        verbose_name = "usage correction"
        permissions = [("correct_usage", "Can correct what usage was charged")]
        constraints = [
            models.CheckConstraint(condition=Q(since__lt=models.F("until")), name="usage_correction_period"),
            models.CheckConstraint(
                condition=Q(price__isnull=True, reverses__isnull=False) | Q(price__isnull=False, reverses__isnull=True),
                name="usage_correction_or_reversal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}, {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"


class CorrectedUsage(models.Model):
    """What a correction changed for one usage event: `amount` is signed as its ledger entry is."""

    correction = models.ForeignKey(UsageCorrection, on_delete=models.PROTECT, related_name="corrected", db_index=False)
    usage_event = models.ForeignKey("usage.UsageEvent", on_delete=models.PROTECT, related_name="corrections")
    amount = CreditsField()
    entry = models.OneToOneField("billing.LedgerEntry", on_delete=models.PROTECT, related_name="corrected_usage")

    class Meta:
        verbose_name = "corrected usage"
        constraints = [
            models.UniqueConstraint(fields=["correction", "usage_event"], name="usage_corrected_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="usage_corrected_amount_not_zero"),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.amount} for {self.usage_event_id}"
