"""Fixtures for usage: a user with credits, prices, and an API client with a key."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import PricingConfig
from usage.tests.factories import make_key, make_price, make_user

Send = Callable[..., Any]


@pytest.fixture
def user(db: None) -> User:
    """Somebody with 1,000 credits."""
    return make_user(credits=1000)


@pytest.fixture
def price(db: None) -> PricingConfig:
    """A model at 1 credit for an input token, 0.5 for a cached one, 2 for an output token."""
    return make_price()


@pytest.fixture
def client_of() -> Callable[..., Client]:
    """Gives a client that calls the API with a new key of a user."""

    def make_client(user: User, **fields: Any) -> Client:
        return Client(headers={"Authorization": f"Bearer {make_key(user, **fields).text}"})

    return make_client


@pytest.fixture
def api(user: User, client_of: Callable[..., Client]) -> Client:
    """A client that calls the API with a key of the user's."""
    return client_of(user)
