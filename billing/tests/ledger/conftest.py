"""Fixtures for tests of the ledger: a customer without credits, and a clock that stands still."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from billing.models import BillingCustomer
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import give

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    """The time of the test; it moves only when told."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self.traveller = traveller
        self.now = START

    def move(self, **duration: float) -> datetime:
        self.now += timedelta(**duration)
        self.traveller.move_to(self.now)
        return self.now

    def after(self, **duration: float) -> datetime:
        return self.now + timedelta(**duration)


@pytest.fixture
def customer(db: None) -> BillingCustomer:
    return make_customer()


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(START, tick=False) as traveller:
        yield Clock(traveller)


@pytest.fixture
def rich(customer: BillingCustomer) -> BillingCustomer:
    """A customer with 100 credits."""
    give(customer, 100)
    return customer
