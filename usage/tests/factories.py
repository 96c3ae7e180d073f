"""Customers with credits, prices and keys for tests of usage."""

import itertools
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.api_keys import NewKey, issue_key
from accounts.models import User
from billing.credits import add_credits
from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditBalance, OperationPrice, PricingConfig
from billing.services.customers import ensure_customer

MODEL = "small-model"
LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
_numbers = itertools.count(1)


def make_user(*, credits: Decimal | int | str = 0, overdraft_limit: Decimal | int = 0) -> User:
    """A user whose customer has so many credits."""
    user = User.objects.create_user(f"user-{next(_numbers)}@example.com", "a good password")
    customer = ensure_customer(user=user)
    if overdraft_limit:
        CreditBalance.objects.filter(pk=customer.pk).update(overdraft_limit=overdraft_limit)
    if Decimal(credits):
        add_credits(user, credits, kind=EntryKind.PROMOTION, idempotency_key="test-credits")
    return user


def customer_of(user: User) -> BillingCustomer:
    return BillingCustomer.objects.get(user=user)


def balance_of(user: User) -> CreditBalance:
    return CreditBalance.objects.get(customer__user=user)


def make_price(model: str = MODEL, *, since: datetime = LONG_AGO, **fields: Any) -> PricingConfig:
    """1 credit for an input token, 0.5 for a cached one, 2 for an output token; a reserve of 100 output tokens."""
    usual = {
        "input_usd_per_1k": 1,
        "cached_input_usd_per_1k": "0.5",
        "output_usd_per_1k": 2,
        "output_reserve_tokens": 100,
    }
    price = PricingConfig.objects.create(model=model, effective_from=since, **(usual | fields))
    price.refresh_from_db()
    return price


def make_operation_price(operation: str = "image", *, since: datetime = LONG_AGO, **fields: Any) -> OperationPrice:
    """5 credits each."""
    usual: dict[str, Any] = {"name": operation.capitalize(), "credits": 5}
    price = OperationPrice.objects.create(operation=operation, effective_from=since, **(usual | fields))
    price.refresh_from_db()
    return price


def make_key(user: User, *, scopes: Sequence[str] = ("read", "spend"), **fields: Any) -> NewKey:
    """An API key of the user; one that acts for customers is made by staff."""
    if "customers" in scopes:
        User.objects.filter(pk=user.pk).update(is_staff=True)
        user.is_staff = True
    return issue_key(user=user, name="Test", scopes=scopes, **fields)
