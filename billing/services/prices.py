"""Prices are set by versions: a new one starts at a moment, and what was charged keeps the version it was charged by.

Whoever sets a price holds the lock of its name, reads the clock after it, and is audited in the same database
transaction. So two people at once are told apart: the second one sees, or is told, what the first one did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from billing import conf
from billing.errors import InvalidRequest
from billing.models import OperationPrice, PricingConfig
from billing.models.pricing_config import MAX_USD
from billing.money import ZERO
from billing.services.audit import record_audit

V = TypeVar("V", PricingConfig, OperationPrice)
NO_VERSION = 0  # for `follows`: the caller saw that there was none

_REMEDIES = {
    "model": "Write the model's name as the provider does, such as gpt-5-mini.",
    "operation": "Use lower-case letters, digits and hyphens, such as image-1024.",
    "markup_percent": "Give a percentage from 0 to 10000 with at most three places, such as 25.",
    "output_reserve_tokens": "Give a whole number of tokens from 1.",
    "note": "Say in a sentence why the price changes.",
}
_PRICE_REMEDY = "Give an amount from 0 to 1000 US dollars with at most nine places, such as 0.00025."


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTerms:
    """What a version says about a language model: our cost in US dollars, the markup, and the reserve."""

    model: str
    input_usd_per_1k: Decimal
    cached_input_usd_per_1k: Decimal
    output_usd_per_1k: Decimal
    provider: str = "openai"
    request_usd: Decimal = ZERO
    markup_percent: Decimal = ZERO
    output_reserve_tokens: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTerms:
    """What a version says about an operation: a price in credits, or one in US dollars with a markup."""

    operation: str
    name: str
    credits: Decimal | None = None
    usd: Decimal | None = None
    markup_percent: Decimal = ZERO


def terms_of_model(version: PricingConfig) -> ModelTerms:
    """A version's terms, to make the next one of."""
    return ModelTerms(**{name: getattr(version, name) for name in ModelTerms.__dataclass_fields__})


def terms_of_operation(version: OperationPrice) -> OperationTerms:
    """A version's terms, to make the next one of."""
    return OperationTerms(**{name: getattr(version, name) for name in OperationTerms.__dataclass_fields__})


def set_price(
    *,
    terms: ModelTerms,
    effective_from: datetime | None = None,
    is_offered: bool = True,
    note: str = "",
    follows: int | None = None,
    actor: User | None = None,
    address: str = "",
) -> PricingConfig:
    """A new version of a model's price, from now or from a time to come; the first one may start in the past.

    `follows` is the id of the newest version that the caller looked at (`NO_VERSION`: there was none), or None if that
    does not matter.

    Raises:
        InvalidRequest: a value cannot be a price, the start is over, or somebody set another version meanwhile.
    """
    check_model_terms(terms=terms)
    version = PricingConfig(**asdict(terms), is_offered=is_offered, note=note, created_by=actor)
    _check_values(version)
    with transaction.atomic():
        lock_model_price(model=terms.model)
        versions = PricingConfig.objects.filter(model=terms.model)
        _start(version, earlier=list(versions), effective_from=effective_from, follows=follows)
        _record(version, earlier=list(versions), terms=asdict(terms), actor=actor, address=address)
    return version


def check_model_terms(*, terms: ModelTerms) -> None:
    """Whether they can be a price at all; nothing is asked of the database.

    Raises:
        InvalidRequest: a value cannot be a price.
    """
    _check_values(PricingConfig(**asdict(terms)))
    if terms.cached_input_usd_per_1k > terms.input_usd_per_1k:
        # No provider asks more for a token that it has read before, so two columns were mixed up. There is no way to
        # insist: whoever really meets such a provider gives the higher price for both.
        raise InvalidRequest(
            field="cached_input_usd_per_1k",
            fault="cached input would cost more than input",
            remedy="Look whether the two are exchanged; where cached input is not cheaper, give the same price.",
        )


def set_operation_price(
    *,
    terms: OperationTerms,
    effective_from: datetime | None = None,
    is_offered: bool = True,
    note: str = "",
    follows: int | None = None,
    actor: User | None = None,
    address: str = "",
) -> OperationPrice:
    """A new version of an operation's price; the rules are those of `set_price`.

    Raises:
        InvalidRequest: a value cannot be a price, the start is over, or somebody set another version meanwhile.
    """
    version = OperationPrice(**asdict(terms), is_offered=is_offered, note=note, created_by=actor)
    _check_values(version)
    _check_one_price(terms)
    with transaction.atomic():
        _lock_name(f"price:operation:{terms.operation}")
        versions = OperationPrice.objects.filter(operation=terms.operation)
        _start(version, earlier=list(versions), effective_from=effective_from, follows=follows)
        _record(version, earlier=list(versions), terms=asdict(terms), actor=actor, address=address)
    return version


def withdraw_price(*, model: str, note: str, actor: User | None = None, address: str = "") -> PricingConfig:
    """End the offer of a model from now on, by a version that says so.

    Raises:
        InvalidRequest: it is not offered, or somebody set another version meanwhile.
    """
    versions = list(PricingConfig.objects.filter(model=model))
    terms = terms_of_model(_offered_now(versions, field="model", name=model))
    follows = newest_id(versions)
    return set_price(terms=terms, is_offered=False, note=note, follows=follows, actor=actor, address=address)


def withdraw_operation_price(
    *, operation: str, note: str, actor: User | None = None, address: str = ""
) -> OperationPrice:
    """End the offer of an operation from now on, by a version that says so.

    Raises:
        InvalidRequest: it is not offered, or somebody set another version meanwhile.
    """
    versions = list(OperationPrice.objects.filter(operation=operation))
    terms = terms_of_operation(_offered_now(versions, field="operation", name=operation))
    follows = newest_id(versions)
    return set_operation_price(terms=terms, is_offered=False, note=note, follows=follows, actor=actor, address=address)


def lock_model_price(*, model: str) -> None:
    """Nobody else sets the model's price until the database transaction ends, so what is read now still holds then."""
    _lock_name(f"price:model:{model}")


def newest_id(versions: Sequence[PricingConfig] | Sequence[OperationPrice]) -> int:
    """The id of the version that was set last, as `follows` wants it."""
    return max((version.pk for version in versions), default=NO_VERSION)


def version_in_force(versions: Iterable[V], *, at: datetime) -> V | None:
    """The one of a thing's versions that holds at a moment."""
    started = [version for version in versions if version.effective_from <= at]
    return max(started, key=lambda version: version.effective_from, default=None)


def _offered_now(versions: Sequence[V], *, field: str, name: str) -> V:
    current = version_in_force(versions, at=timezone.now())
    if current is None or not current.is_offered:
        raise InvalidRequest(field=field, fault=f"{name} is not offered", remedy="Choose one that is.")
    return current


def _check_values(version: PricingConfig | OperationPrice) -> None:
    """Refuse what the columns cannot hold: bounds, places, names."""
    try:
        version.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, faults = next(iter(error.message_dict.items()))
        raise InvalidRequest(
            field=field, fault=" ".join(faults).rstrip("."), remedy=_REMEDIES.get(field, _PRICE_REMEDY)
        ) from error


def _check_one_price(terms: OperationTerms) -> None:
    """Refuse two prices at once, none, and more credits than the largest price in US dollars is worth."""
    if (terms.credits is None) == (terms.usd is None):
        raise InvalidRequest(
            field="credits", fault="there must be one price", remedy="Give either credits or US dollars, not both."
        )
    if terms.credits is None:
        return
    if terms.markup_percent:
        raise InvalidRequest(
            field="markup_percent", fault="a price in credits has no markup", remedy="Give 0, or US dollars."
        )
    most = MAX_USD * conf.credits_per_usd()
    if not ZERO <= terms.credits <= most:
        raise InvalidRequest(
            field="credits", fault=f"{terms.credits} is out of bounds", remedy=f"Give 0 to {most:,f} credits."
        )


def _lock_name(name: str) -> None:
    """Wait for whoever sets a price of the same thing; a thing has no row of its own that could be locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _start(version: V, *, earlier: Sequence[V], effective_from: datetime | None, follows: int | None) -> None:
    """Give the version its start, read after the lock, or say why it cannot start so."""
    now = timezone.now()
    if follows is not None and follows != newest_id(earlier):
        raise InvalidRequest(
            field="effective_from", fault="somebody set another version meanwhile", remedy="Look at it and start again."
        )
    version.effective_from = effective_from or now
    if earlier and version.effective_from < now:
        raise InvalidRequest(
            field="effective_from",
            fault=f"{version.effective_from:%Y-%m-%d %H:%M:%S %Z} is over, and there is a price already",
            remedy="Give a time to come or none for now: what was charged keeps its price.",
        )
    if any(other.effective_from == version.effective_from for other in earlier):
        raise InvalidRequest(
            field="effective_from",
            fault="there is a version from that moment already",
            remedy="Give another moment.",
        )


def _record(version: V, *, earlier: Sequence[V], terms: Mapping[str, Any], actor: User | None, address: str) -> None:
    """Write the version and audit it."""
    version.save(force_insert=True)
    before = version_in_force(earlier, at=version.effective_from)
    record_audit(
        actor=actor,
        action=f"{version._meta.model_name}.{'set' if version.is_offered else 'withdraw'}",
        target=version,
        before={name: _as_text(getattr(before, name)) for name in terms} if before is not None else {},
        after={
            **{name: _as_text(value) for name, value in terms.items()},
            "effective_from": version.effective_from.isoformat(),
            "is_offered": version.is_offered,
        },
        reason=version.note,
        address=address,
    )


def _as_text(value: object) -> object:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
