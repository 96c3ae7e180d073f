"""What recorded work costs, each piece at the price of its time, with two queries for a batch."""

from collections.abc import Collection
from dataclasses import dataclass, field

from billing.errors import BillingError, InvalidRequest
from billing.money import MAX_CREDITS
from billing.selectors.price_book import PriceBook, open_price_book
from billing.selectors.prices import charge_for_operation, charge_for_tokens
from billing.usage_cost import Charge, Tokens
from usage.services.recording_reading import WorkDone


class NoPriceThen(BillingError):
    """The model or operation was not offered when the work was done."""

    def __init__(self, *, field: str, name: str) -> None:
        self.code, self.field = f"unknown_{field}", field
        super().__init__(f"{field}: {name!r} had no price at that time. Ask staff to give it one.")


@dataclass(frozen=True, slots=True)
class PricedWork:
    """A charge, the version of the price that it rests on, and what the customer reads in the ledger."""

    charge: Charge
    description: str
    price_id: int | None = None
    operation_price_id: int | None = None
    is_default_price: bool = False


@dataclass(frozen=True, slots=True)
class EventPrices:
    """Prices for a batch. The same work at the same version is worked out once."""

    book: PriceBook
    _of_tokens: dict[tuple[int, Tokens], Charge] = field(default_factory=dict)

    @classmethod
    def of(cls, works: Collection[WorkDone]) -> "EventPrices":
        """The prices of everything in the batch."""
        return cls(
            open_price_book(
                models={work.model for work in works if work.model},
                operations={work.operation for work in works if work.operation},
            )
        )

    def price(self, work: WorkDone) -> PricedWork:
        """What a piece of work costs.

        Raises:
            NoPriceThen: its model or operation was not offered at its time.
            InvalidRequest: it would cost more than one movement of credits can be.
        """
        priced = self._price_tokens(work) if work.model else self._price_operation(work)
        if priced.charge.credits > MAX_CREDITS:
            most = "input_tokens" if work.model else "quantity"
            raise InvalidRequest(
                field=most, fault=f"it would cost more than {MAX_CREDITS:,f} credits", remedy="Send smaller events."
            )
        return priced

    def _price_tokens(self, work: WorkDone) -> PricedWork:
        version = self.book.find_price(model=work.model, at=work.occurred_at)
        if version is None:
            raise NoPriceThen(field="model", name=work.model)
        charge = self._of_tokens.get((version.pk, work.tokens))
        if charge is None:
            charge = self._of_tokens[version.pk, work.tokens] = charge_for_tokens(version=version, tokens=work.tokens)
        return PricedWork(charge, work.model, price_id=version.pk, is_default_price=version.model != work.model)

    def _price_operation(self, work: WorkDone) -> PricedWork:
        version = self.book.find_operation_price(operation=work.operation, at=work.occurred_at)
        if version is None:
            raise NoPriceThen(field="operation", name=work.operation)
        charge = charge_for_operation(version=version, quantity=work.quantity)
        return PricedWork(charge, version.name, operation_price_id=version.pk)
