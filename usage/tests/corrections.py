"""Calls and prices for tests of corrections."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from billing.models import BillingCustomer, PricingConfig
from billing.tests.ledger.steps import buy
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent
from usage.services.calls import finish_call, open_call

MODEL = "gpt-4o"
_names = count(1)


def make_price(*, input_usd: str = "0.0025", request_usd: str = "0", model: str = MODEL) -> PricingConfig:
    """A version of the price; output costs four times the input, cached input half of it."""
    usd = Decimal(input_usd)
    price = PricingConfig.objects.create(
        model=model,
        input_usd_per_1k=usd,
        cached_input_usd_per_1k=usd / 2,
        output_usd_per_1k=usd * 4,
        request_usd=Decimal(request_usd),
        effective_from=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=next(_names)),
    )
    price.refresh_from_db()  # as the database has it
    return price


def call(customer: BillingCustomer, *, input: int = 1000, output: int = 100, model: str = MODEL) -> UsageEvent:
    """A call that was made and charged by the price that holds."""
    opened = open_call(
        customer_id=customer.pk, model=model, input_tokens=input, max_tokens=output, event_id=f"call-{next(_names)}"
    )
    return finish_call(call=opened, tokens=Tokens(input=input, output=output), basis=Basis.REPORTED)


def overcharge(customer: BillingCustomer, *, calls: int = 2) -> BillingCustomer:
    """The customer with 1,000 credits, of which each call took 35, though it should have cost 3.5."""
    make_price(input_usd="0.025")
    buy(customer, 1000)
    for _ in range(calls):
        call(customer)
    return customer
