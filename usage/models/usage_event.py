"""One piece of metered work, and what was charged for it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.fields import CreditsField, new_public_id
from billing.models.triggers import append_only


class Basis(models.TextChoices):
    """What the charge rests on."""

    REPORTED = "reported", "Reported by the provider"
    DELIVERED = "delivered", "Counted from what was delivered"
    RECORDED = "recorded", "Reported by the product that did the work"
    FIXED = "fixed", "Fixed price"
    NOTHING = "nothing", "Nothing was delivered"


class UsageStatus(models.TextChoices):
    """How the work ended."""

    COMPLETED = "completed", "Completed"
    INTERRUPTED = "interrupted", "Broken off"
    FAILED = "failed", "Failed, not charged"


# What the codes of our own endpoint mean to who called it. Other texts are those of application code.
_FAILURE_WORDS = {
    "broken_off": _("The provider's answer broke off."),
    "client_gone": _("The connection to you ended before the answer did."),
    "malformed_answer": _("The provider's answer could not be read."),
    "not_configured": _("No provider is set up for this model."),
    "nothing_came": _("The provider's answer was empty."),
    "timeout": _("The provider did not answer in time."),
    "unreachable": _("The provider could not be reached."),
}
_STATUS_WORDS = {"answered_": _("The provider failed: it answered"), "refused_": _("The provider refused: it answered")}


def new_usage_event_id() -> str:
    return new_public_id("use")


class UsageEvent(models.Model):
    """Written once, when the work was charged or found to cost nothing; corrections are rows of their own."""

    public_id = models.CharField(max_length=40, unique=True, default=new_usage_event_id, editable=False)
    customer = models.ForeignKey(
        "billing.BillingCustomer", on_delete=models.PROTECT, related_name="usage_events", db_index=False
    )
    event_id = models.CharField(
        max_length=255, help_text="The caller's name for this work, once per customer for ever."
    )
    request_hash = models.CharField(max_length=64, help_text="What makes a second event of this name the same one.")
    api_key = models.ForeignKey(
        "accounts.ApiKey", null=True, on_delete=models.PROTECT, related_name="usage_events", db_index=False
    )
    model = models.CharField(max_length=120, blank=True, help_text="A language model's name; empty for an operation.")
    operation = models.CharField(max_length=80, blank=True, help_text="A fixed-price operation; empty for a model.")
    quantity = models.PositiveIntegerField(default=1, help_text="How many times the operation.")
    input_tokens = models.PositiveBigIntegerField(default=0, help_text="Cached ones included.")
    cached_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    price = models.ForeignKey(
        "billing.PricingConfig", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    operation_price = models.ForeignKey(
        "billing.OperationPrice", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    cost_usd = models.DecimalField(max_digits=24, decimal_places=12, default=0, help_text="Before the markup.")
    markup_percent = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    estimated_credits = CreditsField(null=True)
    held_credits = CreditsField(null=True)
    credits = CreditsField(default=0, help_text="Charged.")
    hold = models.ForeignKey(
        "billing.CreditHold", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    entry = models.OneToOneField("billing.LedgerEntry", null=True, on_delete=models.PROTECT, related_name="usage_event")
    basis = models.CharField(max_length=10, choices=Basis.choices)
    status = models.CharField(max_length=12, choices=UsageStatus.choices, default=UsageStatus.COMPLETED)
    failure = models.CharField(max_length=200, blank=True, help_text="Why it failed or broke off.")
    is_default_price = models.BooleanField(default=False, help_text="The model had no price of its own.")
    latency_ms = models.PositiveIntegerField(null=True)
    metadata = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "usage event"
        constraints = [
            models.UniqueConstraint(fields=["customer", "event_id"], name="usage_event_once"),
            models.CheckConstraint(
                condition=Q(cached_tokens__lte=models.F("input_tokens")), name="usage_cached_is_input"
            ),
            models.CheckConstraint(condition=Q(credits__gte=0, cost_usd__gte=0), name="usage_event_not_negative"),
            models.CheckConstraint(
                condition=Q(entry__isnull=True, credits=0) | Q(entry__isnull=False, credits__gt=0),
                name="usage_event_charged_by_entry",
            ),
            models.CheckConstraint(
                condition=Q(model="") & ~Q(operation="") | ~Q(model="") & Q(operation=""),
                name="usage_event_of_one_kind",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "occurred_at"], name="usage_event_customer_time"),
            models.Index(fields=["customer", "model", "id"], name="usage_event_experience"),
            models.Index(fields=["model", "occurred_at"], name="usage_event_model_time"),
            models.Index(fields=["api_key", "occurred_at"], name="usage_event_key_time"),
            models.Index(fields=["occurred_at"], name="usage_event_default_price", condition=Q(is_default_price=True)),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.model or self.operation} {self.credits}"

    @property
    def failure_words(self) -> str:
        """Why it failed or broke off, for people."""
        for prefix, words in _STATUS_WORDS.items():
            status = self.failure.removeprefix(prefix)
            if status != self.failure and status.isdigit():
                return f"{words} {status}."
        return str(_FAILURE_WORDS.get(self.failure, self.failure))
