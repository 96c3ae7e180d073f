"""Fixtures of the tests of services: a subscriber of plans, and a clock at the beginning of the first period."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from billing.models import BillingCustomer
from billing.tests.plan_world import PRO, PRO_PLUS, Month, make_plan, make_subscriber


@pytest.fixture
def subscriber(db: None) -> BillingCustomer:
    make_plan("pro", price=PRO, rank=1)
    make_plan("pro_plus", price=PRO_PLUS, rank=2)
    return make_subscriber()


@pytest.fixture
def traveller() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(Month().at(0) + timedelta(hours=1), tick=False) as traveller:
        yield traveller
