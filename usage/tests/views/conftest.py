"""Somebody logged in, with usage of every sort."""

import pytest
from django.test import Client

from accounts.models import User


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """A client in which the user is logged in."""
    client.force_login(user)
    return client
