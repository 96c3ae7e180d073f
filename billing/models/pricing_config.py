"""What metered work costs: versions that follow each other, and are never changed."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from billing.models.fields import CreditsField
from billing.models.triggers import append_only

MAX_USD = Decimal(1000)  # for a thousand tokens, for a request: more is a slip of the decimal point
MAX_MARKUP_PERCENT = Decimal(10_000)


class UsdField(models.DecimalField):  # type: ignore[type-arg]
    """US dollars with nine places, so that a price per million tokens divides by a thousand without a rest."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        bounds = [MinValueValidator(0), MaxValueValidator(MAX_USD)]
        super().__init__(*args, **{"max_digits": 15, "decimal_places": 9, "validators": bounds, **kwargs})  # type: ignore[arg-type]


class MarkupField(models.DecimalField):  # type: ignore[type-arg]
    """Percent on top of what the work costs us."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        bounds = [MinValueValidator(0), MaxValueValidator(MAX_MARKUP_PERCENT)]
        super().__init__(*args, **{"max_digits": 9, "decimal_places": 3, "validators": bounds, **kwargs})  # type: ignore[arg-type]


class PriceVersion(models.Model):
    """A version holds from `effective_from` until the next one of the same thing, so no two can overlap."""

    effective_from = models.DateTimeField(default=timezone.now)
    is_offered = models.BooleanField(default=True, help_text="Off: from then on nobody is served.")
    note = models.CharField(max_length=300, blank=True, help_text="Why it changed.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class PricingConfig(PriceVersion):
    """A version of the price of a language model: our cost in US dollars, and the markup on it."""

    model = models.CharField(
        max_length=120,
        validators=[
            RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$", "Write the model's name as the provider does.")
        ],
    )
    provider = models.CharField(max_length=60, default="openai")
    input_usd_per_1k = UsdField(verbose_name="input, USD per 1,000 tokens")
    cached_input_usd_per_1k = UsdField(verbose_name="cached input, USD per 1,000 tokens")
    output_usd_per_1k = UsdField(verbose_name="output, USD per 1,000 tokens")
    request_usd = UsdField(default=0, verbose_name="USD per request")
    markup_percent = MarkupField(default=0)
    output_reserve_tokens = models.PositiveIntegerField(
        default=1000,
        validators=[MinValueValidator(1), MaxValueValidator(10_000_000)],
        help_text="Output tokens to expect of a call while there is no experience with the customer.",
    )

    class Meta:
        verbose_name = "model price"
        ordering = ["model", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "effective_from"],
                name="billing_price_version",
                violation_error_message="There is a version of this model from that moment already.",
            ),
            models.CheckConstraint(
                condition=Q(
                    input_usd_per_1k__range=(0, MAX_USD),
                    cached_input_usd_per_1k__range=(0, MAX_USD),
                    output_usd_per_1k__range=(0, MAX_USD),
                    request_usd__range=(0, MAX_USD),
                    markup_percent__range=(0, MAX_MARKUP_PERCENT),
                    output_reserve_tokens__gte=1,
                ),
                name="billing_price_bounds",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.model} from {self.effective_from:%Y-%m-%d %H:%M}"


class OperationPrice(PriceVersion):
    """A version of the fixed price of an operation, such as an image: in credits, or in US dollars of cost."""

    operation = models.SlugField(max_length=80, help_text="What the code calls it, such as image-1024.")
    name = models.CharField(max_length=120)
    credits = CreditsField(null=True, blank=True, validators=[MinValueValidator(0)])
    usd = UsdField(null=True, blank=True, verbose_name="USD")
    markup_percent = MarkupField(default=0, help_text="On top of a price in US dollars.")

    class Meta:
        verbose_name = "operation price"
        ordering = ["operation", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["operation", "effective_from"],
                name="billing_operation_version",
                violation_error_message="There is a version of this operation from that moment already.",
            ),
            models.CheckConstraint(
                condition=Q(credits__gte=0, usd__isnull=True, markup_percent=0)
                | Q(credits__isnull=True, usd__range=(0, MAX_USD), markup_percent__range=(0, MAX_MARKUP_PERCENT)),
                name="billing_operation_one_price",
                violation_error_message="Give either credits, or US dollars with a markup.",
            ),
        ]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.operation} from {self.effective_from:%Y-%m-%d %H:%M}"
