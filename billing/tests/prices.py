"""Prices for tests: round figures by default, made by the services."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.models import OperationPrice, PricingConfig
from billing.services.prices import ModelTerms, OperationTerms, set_operation_price, set_price

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # events of any moment that a test invents have a price
_TERMS_OF_A_MODEL = {field.name for field in fields(ModelTerms)}
_TERMS_OF_AN_OPERATION = {field.name for field in fields(OperationTerms)}


def make_price(*, model: str = "test-model", **overrides: Any) -> PricingConfig:
    """$0.001 for 1,000 input tokens, a tenth of that for cached ones, $0.002 for output: 1, 0.1 and 2 credits.

    The first version of a model holds since 2020, a further one (and any with `effective_from=None`) from now.
    """
    terms = {
        "input_usd_per_1k": Decimal("0.001"),
        "cached_input_usd_per_1k": Decimal("0.0001"),
        "output_usd_per_1k": Decimal("0.002"),
        "output_reserve_tokens": 100,
        **{name: overrides.pop(name) for name in _TERMS_OF_A_MODEL & overrides.keys()},
    }
    if not PricingConfig.objects.filter(model=model).exists():
        overrides.setdefault("effective_from", LONG_AGO)
    return set_price(terms=ModelTerms(model=model, **terms), **overrides)


def make_operation_price(*, operation: str = "image", **overrides: Any) -> OperationPrice:
    """5 credits, or what `credits`, or `usd` and `markup_percent`, say. Since 2020, like `make_price`."""
    terms = {name: overrides.pop(name) for name in _TERMS_OF_AN_OPERATION & overrides.keys()}
    if "usd" not in terms:
        terms.setdefault("credits", Decimal(5))
    terms.setdefault("name", operation.replace("-", " ").capitalize())
    if not OperationPrice.objects.filter(operation=operation).exists():
        overrides.setdefault("effective_from", LONG_AGO)
    return set_operation_price(terms=OperationTerms(operation=operation, **terms), **overrides)
