"""Prices as they hold at a moment."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from django.db import connection

from billing import conf
from billing.errors import UnknownModel, UnknownOperation
from billing.models import OperationPrice, PricingConfig
from billing.models.rows import Rows
from billing.money import ZERO
from billing.usage_cost import Charge, TokenPrice, Tokens, cost_of_tokens, credits_for_cost

MAX_KNOWN_NAMES = 50  # a refusal lists so many; GET /v1/models has them all
_VERSIONS = Rows(PricingConfig)


def find_price(*, model: str, at: datetime) -> PricingConfig:
    """The version of a model's price that holds at a moment.

    A model without one gets the price of `DEFAULT_PRICE_MODEL`, where that setting names a model that has one; the
    caller sees it by the version's own `model` and marks the usage for staff.

    Raises:
        UnknownModel: with the names of the models that there are.
    """
    version = _version(model=model, at=at)
    if version is None and (default := conf.default_price_model()):
        version = _version(model=default, at=at)
    if version is None or not version.is_offered:
        raise UnknownModel(model=model, known=offered_models(at=at)[:MAX_KNOWN_NAMES])
    return version


def offered_prices(*, at: datetime) -> list[PricingConfig]:
    """The versions that hold at a moment, of all models that are offered, by name."""
    versions = PricingConfig.objects.filter(effective_from__lte=at).order_by("model", "-effective_from")
    return [version for version in versions.distinct("model") if version.is_offered]


def offered_models(*, at: datetime) -> list[str]:
    """The names of the models that can be called."""
    return [version.model for version in offered_prices(at=at)]


def versions_of(*, models: Iterable[str]) -> dict[str, list[PricingConfig]]:
    """All versions of some models, newest first: for pricing many events of many moments by one query."""
    wanted = set(models) | ({conf.default_price_model()} - {""})
    versions: dict[str, list[PricingConfig]] = {}
    for version in PricingConfig.objects.filter(model__in=wanted).order_by("model", "-effective_from"):
        versions.setdefault(version.model, []).append(version)
    return versions


def find_operation_price(*, operation: str, at: datetime) -> OperationPrice:
    """The version of an operation's price that holds at a moment.

    Raises:
        UnknownOperation: with the names of the operations that there are.
    """
    versions = OperationPrice.objects.filter(effective_from__lte=at)
    version = versions.filter(operation=operation).order_by("-effective_from").first()
    if version is None or not version.is_offered:
        current = versions.order_by("operation", "-effective_from").distinct("operation")
        known = [other.operation for other in current if other.is_offered]
        raise UnknownOperation(operation=operation, known=known[:MAX_KNOWN_NAMES])
    return version


def token_price(version: PricingConfig) -> TokenPrice:
    """A version as the cost rule reads it."""
    return TokenPrice(
        input_usd_per_1k=version.input_usd_per_1k,
        cached_input_usd_per_1k=version.cached_input_usd_per_1k,
        output_usd_per_1k=version.output_usd_per_1k,
        request_usd=version.request_usd,
        markup_percent=version.markup_percent,
    )


def charge_for_tokens(*, version: PricingConfig, tokens: Tokens) -> Charge:
    """What a call costs at this version of its model's price."""
    cost = cost_of_tokens(tokens=tokens, price=token_price(version))
    return Charge(
        cost_usd=cost,
        markup_percent=version.markup_percent,
        credits=credits_for_cost(
            cost_usd=cost, markup_percent=version.markup_percent, credits_per_usd=conf.credits_per_usd()
        ),
    )


def charge_for_operation(*, version: OperationPrice, quantity: int) -> Charge:
    """What an operation done `quantity` times costs at this version of its price."""
    if version.credits is not None:
        return Charge(cost_usd=ZERO, markup_percent=ZERO, credits=version.credits * quantity)
    if version.usd is None:
        raise RuntimeError(f"The price {version.pk} of {version.operation} has no amount.")
    cost = version.usd * quantity
    return Charge(
        cost_usd=cost,
        markup_percent=version.markup_percent,
        credits=credits_for_cost(
            cost_usd=cost, markup_percent=version.markup_percent, credits_per_usd=conf.credits_per_usd()
        ),
    )


def _version(*, model: str, at: datetime) -> PricingConfig | None:
    with connection.cursor() as cursor:
        cursor.execute(_select_version(), [model, at])
        found = cursor.fetchone()
    return None if found is None else _VERSIONS.read(found)


@cache
def _select_version() -> str:
    return f"""
        SELECT {_VERSIONS.columns("version")} FROM billing_pricingconfig AS version
        WHERE model = %s AND effective_from <= %s ORDER BY effective_from DESC LIMIT 1
    """  # noqa: S608  # names of ours only
