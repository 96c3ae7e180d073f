"""Usage of every sort, made by the services as the product makes it."""

import itertools
from decimal import Decimal

from accounts.models import ApiKey, User
from billing.kinds import EntryKind
from billing.models import LedgerEntry
from billing.services.debits import debit_credits
from billing.services.holds import place_hold, settle_hold
from billing.services.key_limits import placed_by_key
from billing.services.posting import Posting, post
from billing.usage_cost import Tokens
from usage.models import Basis, UsageEvent
from usage.services.calls import abandon_call, finish_call, open_call
from usage.tests.factories import MODEL, customer_of

_numbers = itertools.count(1)


def call(
    user: User, *, key: ApiKey | None = None, model: str = MODEL, output: int = 10, cached: int = 0, name: str = ""
) -> UsageEvent:
    """A charged call of ten input tokens: 10 credits, half of one less for a cached token, 2 for an output token."""
    opened = open_call(
        customer_id=customer_of(user).pk,
        model=model,
        input_tokens=10,
        max_tokens=20,
        event_id=name or f"call-{next(_numbers)}",
        api_key=key,
    )
    return finish_call(call=opened, tokens=Tokens(input=10, cached=cached, output=output), basis=Basis.REPORTED)


def failed_call(
    user: User, *, key: ApiKey | None = None, model: str = MODEL, failure: str = "The provider timed out."
) -> UsageEvent:
    """A call that was not charged."""
    opened = open_call(
        customer_id=customer_of(user).pk,
        model=model,
        input_tokens=10,
        max_tokens=20,
        event_id=f"call-{next(_numbers)}",
        api_key=key,
    )
    return abandon_call(call=opened, failure=failure)


def direct_debit(user: User, amount: str, *, key: ApiKey, description: str = "") -> LedgerEntry:
    """A debit over the API."""
    outcome = debit_credits(
        customer_id=customer_of(user).pk,
        amount=amount,
        key=f"debit-{next(_numbers)}",
        placed_by=placed_by_key(key),
        description=description,
    )
    return outcome.entry


def settled_hold(user: User, amount: str, *, key: ApiKey) -> None:
    """A hold over the API, settled by its key."""
    placed_by = placed_by_key(key)
    customer_id = customer_of(user).pk
    hold = place_hold(customer_id=customer_id, amount=amount, key=f"api:hold-{next(_numbers)}", placed_by=placed_by)
    settle_hold(hold=hold.public_id, amount=amount, placed_by=placed_by)


def spend_in_product(user: User, amount: str) -> LedgerEntry:
    """What application code deducts: no call, and no key."""
    return post(
        posting=Posting(
            customer_id=customer_of(user).pk,
            kind=EntryKind.USAGE,
            amount=-Decimal(amount),
            key=f"api:product-{next(_numbers)}",
        )
    )
