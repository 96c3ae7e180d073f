"""List prices of language models, as the package `genai-prices` knows them: read offline, in our columns.

https://github.com/pydantic/genai-prices: US dollars per million tokens, by provider and model. Where a provider's price
does not fit one price per kind of token, the model is not taken, and the reason is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import genai_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, TieredPrices, TimeOfDateConstraint

from billing.money import ZERO

SOURCE: Final = f"genai-prices {genai_prices.__version__}"
_USD_STEP: Final = Decimal("0.000000001")
_TAKEN: Final = ("input_mtok", "cache_read_mtok", "output_mtok", "requests_kcount")
_OUTPUT_OF_ANOTHER_KIND: Final = ("output_audio_mtok", "output_image_mtok", "output_video_mtok")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPrice:
    """What a provider asks for a model. `left_out` names what it also charges for, and we have no column for."""

    provider: str
    model: str
    input_usd_per_1k: Decimal
    cached_input_usd_per_1k: Decimal
    output_usd_per_1k: Decimal
    request_usd: Decimal
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoListPrice:
    """A model whose price cannot be taken, and why."""

    provider: str
    model: str
    reason: str


def list_providers() -> list[str]:
    """The names of the providers whose prices are known."""
    return sorted(provider.id for provider in get_snapshot().providers)


def read_list_prices(*, provider: str, at: datetime, highest_tier: bool = False) -> Iterator[ListPrice | NoListPrice]:
    """All models of a provider, with their prices at a moment.

    Where long prompts cost more, a model is read with `highest_tier` only: at the price of the longest, for all.
    """
    for known in get_snapshot().providers:
        if known.id == provider:
            yield from (_read(model, provider=provider, at=at, highest_tier=highest_tier) for model in known.models)


def _read(model: ModelInfo, *, provider: str, at: datetime, highest_tier: bool) -> ListPrice | NoListPrice:
    if _changes_with_the_hour(model):
        return NoListPrice(provider=provider, model=model.id, reason="its price depends on the time of day")
    prices = {key: price for key, price in vars(model.get_prices(at)).items() if price is not None}
    if not highest_tier and any(isinstance(prices.get(key), TieredPrices) for key in _TAKEN):
        return NoListPrice(provider=provider, model=model.id, reason="its price depends on the length of the prompt")
    fixed = {key: _highest(price) for key, price in prices.items()}
    if "input_mtok" not in fixed:
        units = ", ".join(sorted(prices)) or "nothing"
        return NoListPrice(provider=provider, model=model.id, reason=f"no price of input tokens is known ({units})")
    others = [key for key in _OUTPUT_OF_ANOTHER_KIND if key in fixed]
    if "output_mtok" not in fixed and others:
        return NoListPrice(provider=provider, model=model.id, reason=f"its output is not text ({', '.join(others)})")
    return ListPrice(
        provider=provider,
        model=model.id,
        input_usd_per_1k=_per_thousand(fixed["input_mtok"]),
        cached_input_usd_per_1k=_per_thousand(fixed.get("cache_read_mtok", fixed["input_mtok"])),
        output_usd_per_1k=_per_thousand(fixed.get("output_mtok", ZERO)),
        request_usd=_per_thousand(fixed.get("requests_kcount", ZERO)),
        left_out=tuple(sorted(prices.keys() - set(_TAKEN))),
    )


def _changes_with_the_hour(model: ModelInfo) -> bool:
    return isinstance(model.prices, list) and any(
        isinstance(price, ConditionalPrice) and isinstance(price.constraint, TimeOfDateConstraint)
        for price in model.prices
    )


def _highest(price: Decimal | TieredPrices) -> Decimal:
    """The price of the longest prompts where it depends on their length: nobody is served below our cost then."""
    return price if isinstance(price, Decimal) else max([price.base, *(tier.price for tier in price.tiers)])


def _per_thousand(price: Decimal) -> Decimal:
    """A thousandth at nine places; the nearest, because some prices of the list have passed through binary floats."""
    return (price / 1000).quantize(_USD_STEP, rounding=ROUND_HALF_UP)
