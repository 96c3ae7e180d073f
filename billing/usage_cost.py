"""What metered work costs in credits (pure): the one rule that turns tokens and operations into a charge.

    cost    = tokens x price per 1,000 / 1,000, summed over input, cached input and output, + price per request
    credits = cost x (1 + markup / 100) x credits per USD, rounded once, up, to six places

Providers count cached tokens as a part of the input (https://platform.openai.com/docs/guides/prompt-caching), so they
are taken out of it before the input is priced.
"""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal, localcontext

from billing.money import CREDIT_STEP

_PRECISION = 60  # ten million million tokens at fifteen digits, times a markup: nothing is cut off before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a call used. `input` includes what was read from the provider's cache (`cached`)."""

    input: int = 0
    cached: int = 0
    output: int = 0

    def __post_init__(self) -> None:
        if min(self.input, self.cached, self.output) < 0 or self.cached > self.input:
            raise ValueError(f"{self} cannot be: counts are not negative, and cached tokens are a part of the input.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """A version of a model's price, in US dollars."""

    input_usd_per_1k: Decimal
    cached_input_usd_per_1k: Decimal
    output_usd_per_1k: Decimal
    request_usd: Decimal
    markup_percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What work cost us, and what it costs the customer."""

    cost_usd: Decimal
    markup_percent: Decimal
    credits: Decimal


def cost_of_tokens(*, tokens: Tokens, price: TokenPrice) -> Decimal:
    """What the call cost us, in US dollars, exact to twelve places."""
    with localcontext(prec=_PRECISION):
        per_thousand = (
            (tokens.input - tokens.cached) * price.input_usd_per_1k
            + tokens.cached * price.cached_input_usd_per_1k
            + tokens.output * price.output_usd_per_1k
        )
        return per_thousand / 1000 + price.request_usd


def credits_for_cost(*, cost_usd: Decimal, markup_percent: Decimal, credits_per_usd: Decimal) -> Decimal:
    """The charge for a cost: with the markup, rounded once, up, to six places."""
    with localcontext(prec=_PRECISION):
        exact = cost_usd * (1 + markup_percent / 100) * credits_per_usd
        return exact.quantize(CREDIT_STEP, rounding=ROUND_UP)
