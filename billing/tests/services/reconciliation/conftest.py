"""Payments whose webhooks came or did not."""

from collections.abc import Callable

import pytest

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, Payment
from billing.tests.services.money_back import deliver_all
from billing.tests.shop import open_checkout
from sandbox.stripe.server import SandboxServer


@pytest.fixture
def opened(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, pack: CreditPack
) -> Payment:
    """A checkout that nobody has paid yet."""
    return open_checkout(customer=customer, pack=pack, gateway=gateway).payment


@pytest.fixture
def lost(stripe_sandbox: SandboxServer, opened: Payment) -> Payment:
    """Paid at Stripe, and no webhook came."""
    stripe_sandbox.control.pay_session(opened.checkout_session_id or "")
    return opened


@pytest.fixture
def deliver(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> Callable[[], None]:
    """Delivers what has happened at Stripe so far."""
    return lambda: deliver_all(stripe_sandbox, gateway)


@pytest.fixture
def paid(lost: Payment, deliver: Callable[[], None]) -> Payment:
    """Paid at Stripe, granted here."""
    deliver()
    lost.refresh_from_db()
    return lost
