"""What a call will probably cost, and what it could cost at worst."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.errors import UnknownModel
from billing.models import PricingConfig
from billing.money import CREDIT_STEP
from billing.selectors.plan_limits import check_call
from billing.selectors.prices import MAX_KNOWN_NAMES, charge_for_tokens, find_price, offered_models
from billing.usage_cost import Tokens
from usage.selectors.experience import expected_output_tokens
from usage.services.metadata import is_storable, make_storable

MAX_MODEL_LENGTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Credits to hold for a call of `model`, and what it costs if the answer is as long as it may be.

    `answer_room` is how many tokens the plan leaves for an answer whose length nobody has bounded; None: any number.
    """

    model: str
    price: PricingConfig
    input_tokens: int
    expected_output_tokens: int
    worst_output_tokens: int
    credits: Decimal
    worst_case: Decimal
    answer_room: int | None = None

    @property
    def is_default_price(self) -> bool:
        """Whether the model has no price of its own, so that staff should give it one."""
        return self.price.model != self.model


def estimate_call(
    *, customer_id: int, model: str, input_tokens: int, max_tokens: int | None, at: datetime, answers: int = 1
) -> Estimate:
    """The estimate for a call: its prompt, and the output that 95 of 100 of the customer's calls stay within.

    Without such experience the price's reserve is expected. `max_tokens` bounds it; where there is none, the worst case
    is the larger of expectation and reserve, because nothing says how long an answer may get. A free call is held for
    the smallest amount, so that it too can be ended once. `answers` is how many the caller wants for one prompt.

    Raises:
        UnknownModel: the model has no price.
        ModelNotInPlan, CallAbovePlan: the customer's plan has no room for it.
    """
    if len(model) > MAX_MODEL_LENGTH or not is_storable(model):  # it would fail when the work is done
        known = offered_models(at=at)[:MAX_KNOWN_NAMES]
        raise UnknownModel(model=make_storable(model[:MAX_MODEL_LENGTH]), known=known)
    price = find_price(model=model, at=at)
    observed = expected_output_tokens(customer_id=customer_id, model=model)
    reserve = price.output_reserve_tokens * answers
    # Experience does not say how many answers those calls were for.
    expected = observed if observed is not None and answers == 1 else max(observed or 0, reserve)
    worst = max(expected, reserve) if max_tokens is None else max_tokens * answers
    expected = min(expected, worst)
    limit = check_call(customer_id=customer_id, model=model, tokens=input_tokens + worst)

    def credits_for(output: int) -> Decimal:
        tokens = Tokens(input=input_tokens, output=output)
        return max(charge_for_tokens(version=price, tokens=tokens).credits, CREDIT_STEP)

    return Estimate(
        model=model,
        price=price,
        input_tokens=input_tokens,
        expected_output_tokens=expected,
        worst_output_tokens=worst,
        credits=credits_for(expected),
        worst_case=credits_for(worst),
        answer_room=max(1, (limit - input_tokens) // answers) if limit is not None and max_tokens is None else None,
    )
