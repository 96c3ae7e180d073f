"""What can be subscribed to."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from billing.models.fields import CreditsField

FREE_SLUG = "free"
_NO_TEXTS = 'Write a list of texts, such as ["first", "second"].'


class PlanInterval(models.TextChoices):
    """How often a plan is paid."""

    MONTH = "month", "month"
    YEAR = "year", "year"


class Rollover(models.TextChoices):
    """What becomes of an allowance that is left when the next one comes."""

    NONE = "none", "It ends"
    CAPPED = "capped", "It stays, up to a cap"
    UNLIMITED = "unlimited", "It stays"


class Plan(models.Model):
    """Credits by the month or the year. What a price of Stripe's grants is in `PlanPrice`, and never changes there."""

    slug = models.SlugField(unique=True, help_text="The last part of its address; not changed once it was sold.")
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    rank = models.PositiveSmallIntegerField(
        default=0, help_text="The larger, the more: tells upgrades from downgrades."
    )
    credits = CreditsField(
        default=0, validators=[MinValueValidator(Decimal(0))], help_text="Granted for each period that is paid."
    )
    price_minor = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="In minor units: 1900 is $19.00. Empty: the price is agreed with each customer.",
    )
    currency = models.CharField(
        max_length=3,
        default="usd",
        validators=[RegexValidator(r"^[a-z]{3}$", "Write the ISO code in lower case, such as usd.")],
    )
    interval = models.CharField(max_length=5, choices=PlanInterval.choices, default=PlanInterval.MONTH)
    rollover = models.CharField(max_length=9, choices=Rollover.choices, default=Rollover.NONE)
    rollover_cap = CreditsField(null=True, blank=True, help_text="How much of earlier allowances stays at most.")
    trial_days = models.PositiveSmallIntegerField(default=0, help_text="Free days at the beginning; 0 is none.")
    trial_credits = CreditsField(
        default=0, help_text="Granted when a trial begins, once per customer and card for ever."
    )
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Per API key; empty: the usual.")
    max_call_tokens = models.PositiveIntegerField(null=True, blank=True, help_text="Of one call; empty: no limit.")
    models_allowed = models.JSONField(default=list, blank=True, help_text="Names of language models; empty: all.")
    max_api_keys = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Live keys; empty: the usual.")
    features = models.JSONField(default=list, blank=True, help_text="Lines for the plans page.")
    is_active = models.BooleanField(default=True, help_text="Whether it is offered.")
    stripe_product_id = models.CharField(max_length=255, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["rank", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(credits__gte=0, trial_credits__gte=0), name="billing_plan_credits"),
            models.CheckConstraint(
                condition=Q(rollover="capped", rollover_cap__gt=0)
                | (~Q(rollover="capped") & Q(rollover_cap__isnull=True)),
                name="billing_plan_rollover_cap",
                violation_error_message="A cap belongs to a capped rollover, and must be above zero there.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse limits that every call of a customer would stumble over, or that limit otherwise than they say."""
        self.models_allowed, self.features = self.models_allowed or [], self.features or []
        lists = {"models_allowed": self.models_allowed, "features": self.features}
        faults = {name: _NO_TEXTS for name, value in lists.items() if not _is_list_of_texts(value)}
        if self.requests_per_minute == 0:  # it would be no limit
            faults["requests_per_minute"] = "Write 1 or more, or leave it empty."
        if faults:
            raise ValidationError(faults)

    @property
    def is_free(self) -> bool:
        return self.slug == FREE_SLUG

    @property
    def is_by_agreement(self) -> bool:
        """Whether one talks to us instead of clicking."""
        return self.price_minor is None


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)


class PlanPrice(models.Model):
    """A recurring price of Stripe's and the allowance that it buys; several may belong to one plan. Never changed."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices")
    stripe_price_id = models.CharField(max_length=255, unique=True)
    credits = CreditsField(help_text="Granted for one period of one seat.")
    amount_minor = models.PositiveIntegerField(help_text="What one period of one seat costs.")
    currency = models.CharField(max_length=3)
    interval = models.CharField(max_length=5, choices=PlanInterval.choices)
    is_current = models.BooleanField(default=True, help_text="Whether new subscriptions are made at it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "plan price"
        constraints = [
            models.CheckConstraint(condition=Q(credits__gte=0, amount_minor__gt=0), name="billing_plan_price_amounts"),
            models.UniqueConstraint(
                fields=["plan", "interval", "currency"],
                condition=Q(is_current=True),
                name="billing_plan_price_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id}: {self.stripe_price_id}"
