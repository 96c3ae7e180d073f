"""Fixtures for the pages: somebody logged in, and the pages' addresses."""

import pytest
from django.test import Client

from accounts.models import User
from billing.models import BillingCustomer


@pytest.fixture
def user(customer: BillingCustomer) -> User:
    """The customer's user."""
    assert customer.user is not None
    return customer.user


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """A client in which the customer's user is logged in."""
    client.force_login(user)
    return client
