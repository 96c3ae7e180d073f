"""Prices for pricing many pieces of work of many moments by two queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from billing import conf
from billing.models import OperationPrice, PricingConfig
from billing.selectors.prices import versions_of

V = TypeVar("V", PricingConfig, OperationPrice)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """All versions of some prices, newest first."""

    models: dict[str, list[PricingConfig]]
    operations: dict[str, list[OperationPrice]]
    default_model: str

    def find_price(self, *, model: str, at: datetime) -> PricingConfig | None:
        """The version of a model's price at a moment, or of the default's; None where nobody was served then."""
        version = _version_at(self.models.get(model, ()), at)
        if version is None:
            version = _version_at(self.models.get(self.default_model, ()), at)
        return version if version is not None and version.is_offered else None

    def find_operation_price(self, *, operation: str, at: datetime) -> OperationPrice | None:
        """The version of an operation's price at a moment; None where it was not offered then."""
        version = _version_at(self.operations.get(operation, ()), at)
        return version if version is not None and version.is_offered else None


def open_price_book(*, models: Iterable[str], operations: Iterable[str]) -> PriceBook:
    """The prices of some models and operations, of all times."""
    names = set(operations)
    rows = OperationPrice.objects.filter(operation__in=names).order_by("-effective_from") if names else ()
    of_operations: dict[str, list[OperationPrice]] = {}
    for row in rows:
        of_operations.setdefault(row.operation, []).append(row)
    return PriceBook(
        models=versions_of(models=models), operations=of_operations, default_model=conf.default_price_model()
    )


def _version_at(versions: Sequence[V], at: datetime) -> V | None:
    return next((version for version in versions if version.effective_from <= at), None)
