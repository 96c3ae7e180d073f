"""List prices become versions of ours; the markup and the reserve of a model that we have are kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final, Literal

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.errors import InvalidRequest
from billing.models import PricingConfig
from billing.money import ZERO
from billing.services.list_prices import SOURCE, ListPrice, NoListPrice, list_providers, read_list_prices
from billing.services.prices import (
    ModelTerms,
    check_model_terms,
    lock_model_price,
    set_price,
    terms_of_model,
    version_in_force,
)

PRICE_COLUMNS: Final = ("input_usd_per_1k", "cached_input_usd_per_1k", "output_usd_per_1k", "request_usd")
Change = tuple[Decimal | None, Decimal]
Outcome = Literal["new", "changed", "unchanged", "left", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """What becomes of one model: for `new` and `changed` the columns, old and new; for `left` and `refused` why.

    `left` is what staff have decided otherwise, `refused` what does not fit our columns.
    """

    provider: str
    model: str
    outcome: Outcome
    changes: dict[str, Change] = field(default_factory=dict)
    reason: str = ""
    left_out: tuple[str, ...] = ()


def import_prices(
    *,
    providers: Iterable[str],
    patterns: Iterable[str] = ("*",),
    markup_percent: Decimal = ZERO,
    effective_from: datetime | None = None,
    highest_tier: bool = False,
    dry_run: bool = False,
    actor: User | None = None,
) -> Iterator[PriceStep]:
    """Set the list prices of the providers' models whose names match one of the patterns, one step per model.

    New models get the markup. Of a name that several providers have, the first one's price is taken.
    `highest_tier` takes models whose price depends on the length of the prompt, at the price of the longest.
    `effective_from` is for prices that are set up before anything was charged; otherwise they hold from now.

    Raises:
        InvalidRequest: a provider that is not known, or a pattern that no model's name matches.
    """
    found = _find(
        providers=list(dict.fromkeys(providers)), patterns=list(dict.fromkeys(patterns)), highest_tier=highest_tier
    )
    return _steps(found, markup_percent=markup_percent, effective_from=effective_from, dry_run=dry_run, actor=actor)


def _find(*, providers: list[str], patterns: list[str], highest_tier: bool) -> list[ListPrice | NoListPrice]:
    known = list_providers()
    for provider in providers:
        if provider not in known:
            raise InvalidRequest(
                field="provider", fault=f"{provider!r} is not known", remedy=f"Choose of: {', '.join(known)}."
            )
    at = timezone.now()
    prices = [
        price
        for provider in providers
        for price in read_list_prices(provider=provider, at=at, highest_tier=highest_tier)
    ]
    for pattern in patterns:
        if not any(fnmatchcase(price.model, pattern) for price in prices):
            raise InvalidRequest(
                field="model",
                fault=f"no model of {', '.join(providers)} is called {pattern!r}",
                remedy="A star stands for any letters: 'gpt-5*'.",
            )
    return [price for price in prices if any(fnmatchcase(price.model, pattern) for pattern in patterns)]


def _steps(
    found: list[ListPrice | NoListPrice],
    *,
    markup_percent: Decimal,
    effective_from: datetime | None,
    dry_run: bool,
    actor: User | None,
) -> Iterator[PriceStep]:
    taken: dict[str, str] = {}
    for price in found:
        if isinstance(price, NoListPrice):
            yield _not_taken(price, "refused", price.reason)
        elif price.model in taken:
            yield _not_taken(price, "left", f"its price is taken from {taken[price.model]}")
        else:
            taken[price.model] = price.provider
            yield _take(
                price, markup_percent=markup_percent, effective_from=effective_from, dry_run=dry_run, actor=actor
            )


def _take(
    price: ListPrice, *, markup_percent: Decimal, effective_from: datetime | None, dry_run: bool, actor: User | None
) -> PriceStep:
    """Compare one price with ours and set it where it differs, unless this is only a look."""
    with transaction.atomic():
        if not dry_run:
            lock_model_price(model=price.model)  # another import at the same time finds nothing left to do
        versions = list(PricingConfig.objects.filter(model=price.model))
        current = version_in_force(versions, at=timezone.now())
        if (decision := _find_decision(price, versions, current=current)) is not None:
            return _not_taken(price, "left", decision)
        terms, changes = _compare(price, current=current, markup_percent=markup_percent)
        try:
            check_model_terms(terms=terms)  # so that a look tells the same as the act
            if changes and not dry_run:
                set_price(
                    terms=terms,
                    effective_from=None if current else effective_from,
                    note=f"List price of {price.provider}, {SOURCE}",
                    actor=actor,
                )
        except InvalidRequest as refusal:
            return _not_taken(price, "refused", str(refusal))
    return PriceStep(
        provider=price.provider,
        model=price.model,
        outcome="unchanged" if not changes else "changed" if current else "new",
        changes=changes,
        left_out=price.left_out,
    )


def _compare(
    price: ListPrice, *, current: PricingConfig | None, markup_percent: Decimal
) -> tuple[ModelTerms, dict[str, Change]]:
    """The terms that a new version would have, and what they change."""
    columns = {name: getattr(price, name) for name in PRICE_COLUMNS}
    if current is None:
        terms = ModelTerms(model=price.model, provider=price.provider, markup_percent=markup_percent, **columns)
        return terms, {name: (None, value) for name, value in {**columns, "markup_percent": markup_percent}.items()}
    changes = {name: (old, new) for name, new in columns.items() if (old := getattr(current, name)) != new}
    return replace(terms_of_model(current), **columns), changes


def _find_decision(price: ListPrice, versions: list[PricingConfig], *, current: PricingConfig | None) -> str | None:
    """What staff have decided that a list price may not overrule."""
    if not versions:
        return None
    if current is None:
        return f"its first price starts at {min(version.effective_from for version in versions):%Y-%m-%d %H:%M %Z}"
    if not current.is_offered:
        return "it was withdrawn; offer it again in the admin first"
    if current.provider != price.provider:
        return f"its price is {current.provider}'s"
    return None


def _not_taken(price: ListPrice | NoListPrice, outcome: Literal["left", "refused"], reason: str) -> PriceStep:
    return PriceStep(provider=price.provider, model=price.model, outcome=outcome, reason=reason)
