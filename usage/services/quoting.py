"""What work would cost: nothing is held and nothing is charged."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.errors import InvalidRequest
from billing.models import OperationPrice, PricingConfig
from billing.money import CREDIT_STEP
from billing.selectors.balances import read_balance
from billing.selectors.prices import charge_for_operation, charge_for_tokens, find_operation_price
from billing.usage_cost import Tokens
from usage.services.calls import MAX_QUANTITY
from usage.services.estimating import Estimate, estimate_call
from usage.services.metadata import make_storable

_THOUSAND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a piece of work will probably cost and what it could cost at worst, and whether it would be served now.

    A call is served where the balance covers its worst case: it is held for the estimate while more than that is left,
    for the worst case otherwise.
    """

    estimate: Decimal
    worst_case: Decimal
    held: Decimal
    spendable: Decimal
    is_frozen: bool
    call: Estimate | None = None
    operation: OperationPrice | None = None
    quantity: int = 1

    @property
    def is_covered(self) -> bool:
        return not self.is_frozen and self.spendable >= self.held


def quote_call(
    *, customer_id: int, model: str, input_tokens: int, max_tokens: int | None, answers: int, now: datetime
) -> Quote:
    """What a call of a language model would cost.

    Raises:
        UnknownModel: the model has no price.
    """
    call = estimate_call(
        customer_id=customer_id,
        model=model,
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        at=now,
        answers=answers,
    )
    spendable, is_frozen = _spendable(customer_id=customer_id, now=now)
    return Quote(
        estimate=call.credits,
        worst_case=call.worst_case,
        held=call.worst_case if spendable <= call.worst_case else call.credits,
        spendable=spendable,
        is_frozen=is_frozen,
        call=call,
    )


def quote_operation(*, customer_id: int, operation: str, quantity: int, now: datetime) -> Quote:
    """What an operation done `quantity` times would cost.

    Raises:
        UnknownOperation: it has no price.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidRequest(field="quantity", fault=f"it is {quantity}", remedy=f"Send 1 to {MAX_QUANTITY}.")
    price = find_operation_price(operation=make_storable(operation), at=now)
    credits = charge_for_operation(version=price, quantity=quantity).credits
    spendable, is_frozen = _spendable(customer_id=customer_id, now=now)
    return Quote(
        estimate=credits,
        worst_case=credits,
        held=max(credits, CREDIT_STEP),
        spendable=spendable,
        is_frozen=is_frozen,
        operation=price,
        quantity=quantity,
    )


def credits_per_thousand(version: PricingConfig) -> dict[str, Decimal]:
    """What a thousand tokens of each sort, and a request by itself, cost the customer."""
    nothing = charge_for_tokens(version=version, tokens=Tokens()).credits
    sorts = {
        "input": Tokens(input=_THOUSAND),
        "cached_input": Tokens(input=_THOUSAND, cached=_THOUSAND),
        "output": Tokens(output=_THOUSAND),
    }
    per_thousand = {
        sort: charge_for_tokens(version=version, tokens=tokens).credits - nothing for sort, tokens in sorts.items()
    }
    return per_thousand | {"request": nothing}


def _spendable(*, customer_id: int, now: datetime) -> tuple[Decimal, bool]:
    balance = read_balance(customer_id=customer_id, now=now)
    if balance is None:
        raise RuntimeError(f"The customer {customer_id} has no balance.")
    return balance.spendable, balance.is_frozen
