"""Fixtures for automatic top-up: a shopper whose balance is one spend away from it, and a clock that can be moved."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack
from billing.tests.top_ups import Shopper
from sandbox.stripe.server import SandboxServer


class Clock:
    """The time of the test; it goes on by itself, and further when told."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    def move(self, **duration: float) -> None:
        self._traveller.move_to(timezone.now() + timedelta(**duration))

    def move_to(self, moment: datetime) -> None:
        self._traveller.move_to(moment)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(timezone.now(), tick=True) as traveller:
        yield Clock(traveller)


@pytest.fixture
def shopper(
    stripe_sandbox: SandboxServer,
    gateway: StripeGateway,
    customer: BillingCustomer,
    pack: CreditPack,
    quiet_broker: list[str],
) -> Shopper:
    """A customer with 10,500 credits whom the saved card tops up below 1,000."""
    return Shopper(sandbox=stripe_sandbox, gateway=gateway, customer=customer, pack=pack)
