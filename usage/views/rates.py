"""A price in credits, as people read it: what a thousand tokens and a request cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.models import PricingConfig
from billing.selectors.prices import charge_for_tokens
from billing.usage_cost import Tokens

_THOUSAND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Credits for a thousand tokens of each sort, the markup included, and for the request itself.

    Each is rounded up to six places; a call is rounded up once as a whole, so it may cost a little less than its parts.
    """

    input: Decimal
    cached: Decimal
    output: Decimal
    request: Decimal


def rates_of(version: PricingConfig) -> Rates:
    """The rates of a version of a model's price."""

    def charge(tokens: Tokens) -> Decimal:
        return charge_for_tokens(version=version, tokens=tokens).credits

    request = charge(Tokens())
    return Rates(
        input=charge(Tokens(input=_THOUSAND)) - request,
        cached=charge(Tokens(input=_THOUSAND, cached=_THOUSAND)) - request,
        output=charge(Tokens(output=_THOUSAND)) - request,
        request=request,
    )
