"""Fixtures of the tests of subscriptions."""

import pytest

from sandbox.tests.stripe.shop import Shop
from sandbox.tests.stripe.subscriptions.plans import Plans


@pytest.fixture
def plans(shop: Shop) -> Plans:
    return Plans(shop)
