from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, Payment
from billing.tests.flows.refunding import Shop
from billing.tests.flows.subscribing import Subscriber, offer_plans
from billing.tests.shop import make_pack, open_checkout
from sandbox.stripe.server import SandboxServer


@pytest.fixture
def shop(stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer) -> Shop:
    return Shop(stripe_sandbox, gateway, customer)


@pytest.fixture
def checkout(shop: Shop) -> Payment:
    """A checkout of 1,000 credits for 1,000 minor units that nobody has paid."""
    pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
    return Payment.objects.get(pk=open_checkout(customer=shop.customer, pack=pack, gateway=shop.gateway).payment.pk)


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@example.com", "correct horse battery")


@pytest.fixture
def traveller(stripe_sandbox: SandboxServer) -> Iterator[time_machine.Traveller]:
    """The first of November; the sandbox follows."""
    with time_machine.travel(datetime(2026, 11, 1, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def subscriber(
    gateway: StripeGateway, stripe_sandbox: SandboxServer, traveller: time_machine.Traveller, customer: BillingCustomer
) -> Subscriber:
    offer_plans(gateway)
    return Subscriber(customer, gateway, stripe_sandbox.control, traveller)
