"""Fixtures for billing: a gateway whose Stripe is the sandbox, a customer, a pack, and a paid checkout."""

import pytest
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack
from billing.services.gateway import configured_gateway
from billing.tests.shop import make_customer, make_pack
from sandbox.stripe.server import SandboxServer

WEBHOOK_SECRET = "whsec_test"


@pytest.fixture
def gateway(stripe_sandbox: SandboxServer, settings: Settings) -> StripeGateway:
    """The gateway that the settings describe, pointed at an empty sandbox."""
    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    settings.STRIPE_WEBHOOK_SECRET = [WEBHOOK_SECRET]
    return configured_gateway()


@pytest.fixture
def customer(db: None) -> BillingCustomer:
    """A customer with an empty balance."""
    return make_customer()


@pytest.fixture
def pack(db: None) -> CreditPack:
    """10,000 credits and 500 more for $10.00."""
    return make_pack()


@pytest.fixture
def quiet_broker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nobody is woken; gives the names of the tasks that would have been."""
    woken: list[str] = []

    def remember(*, name: str, arguments: tuple[str | int, ...] = ()) -> bool:
        woken.append(name)
        return True

    monkeypatch.setattr("billing.wake.wake_task", remember)
    return woken
