"""What can be bought once."""

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from billing.models.fields import CreditsField


class CreditPack(models.Model):
    """Credits for sale. Prices and credits always come from this row, never from a browser or from Stripe."""

    slug = models.SlugField(unique=True, help_text="The last part of its address; not changed once it was sold.")
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    credits = CreditsField(validators=[MinValueValidator(0)])
    bonus_credits = CreditsField(default=0, validators=[MinValueValidator(0)])
    price_minor = models.PositiveIntegerField(help_text="In minor units: 1000 is $10.00.")
    currency = models.CharField(
        max_length=3,
        default="usd",
        validators=[RegexValidator(r"^[a-z]{3}$", "Write the ISO code in lower case, such as usd.")],
    )
    lifetime_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days until the credits expire; empty: never."
    )
    is_active = models.BooleanField(default=True, help_text="Whether it is for sale.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Place on the buy page, lowest first.")
    stripe_product_id = models.CharField(max_length=255, blank=True)
    stripe_price_id = models.CharField(
        max_length=255, blank=True, help_text="Made by sync_stripe_catalog; one typed in is checked first."
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "credit pack"
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(credits__gt=0, bonus_credits__gte=0), name="billing_pack_credits"),
            models.CheckConstraint(condition=Q(price_minor__gt=0), name="billing_pack_price_positive"),
            models.CheckConstraint(
                condition=~Q(slug="custom"),
                name="billing_pack_slug_not_custom",
                violation_error_message="The slug 'custom' is the page for an amount of one's own. Choose another.",
            ),
            models.CheckConstraint(
                condition=Q(lifetime_days__isnull=True) | Q(lifetime_days__gt=0), name="billing_pack_lifetime"
            ),
        ]

    def __str__(self) -> str:
        return self.name
