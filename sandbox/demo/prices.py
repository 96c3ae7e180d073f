"""What the demo's metered work costs: list prices with a markup, and two operations of a fixed price."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from billing.errors import InvalidRequest
from billing.models import OperationPrice, PricingConfig
from billing.services.price_import import import_prices
from billing.services.prices import NO_VERSION, OperationTerms, set_operation_price

_MARKUP_PERCENT: Final = Decimal(25)
_AGE: Final = timedelta(days=90)  # older than the work that the demo tells of
_MODELS: Final = {
    "openai": ("gpt-5", "gpt-5-mini", "gpt-5-nano", "text-embedding-3-small"),
    "anthropic": ("claude-haiku-4-5", "claude-sonnet-4-6"),
}
_OPERATIONS: Final = (
    OperationTerms(operation="image", name="Image", credits=Decimal(5)),
    OperationTerms(operation="api-call", name="API call", usd=Decimal("0.001")),
)


def ensure_prices(*, now: datetime) -> list[str]:
    """The names of what has a price. What has one already stays as it is, whoever set it."""
    since = now - _AGE
    for provider, models in _MODELS.items():
        known = set(PricingConfig.objects.filter(model__in=models).values_list("model", flat=True))
        if missing := [model for model in models if model not in known]:
            list(
                import_prices(
                    providers=[provider], patterns=missing, markup_percent=_MARKUP_PERCENT, effective_from=since
                )
            )
    for terms in _OPERATIONS:
        if not OperationPrice.objects.filter(operation=terms.operation).exists():
            with suppress(InvalidRequest):  # another seeding at the same moment was first
                set_operation_price(terms=terms, effective_from=since, note="Demo", follows=NO_VERSION)
    models_there = PricingConfig.objects.values_list("model", flat=True).distinct().order_by("model")
    operations_there = OperationPrice.objects.values_list("operation", flat=True).distinct().order_by("operation")
    return [*models_there, *operations_there]
