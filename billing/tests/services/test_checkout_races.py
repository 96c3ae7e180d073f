"""Checkouts opened at the same moment, over real connections."""

from collections import Counter
from collections.abc import Callable

import pytest

from billing.errors import CheckoutRateLimited
from billing.gateway.client import StripeGateway
from billing.models import Payment
from billing.tests.shop import make_customer, make_pack, open_checkout
from billing.tests.threads import at_once
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)


def test_double_click_gives_one_payment_and_one_session(stripe_sandbox: SandboxServer, gateway: StripeGateway) -> None:
    customer, pack = make_customer(), make_pack()

    def click() -> str:
        return open_checkout(customer=customer, pack=pack, gateway=gateway, form_key="form").session_id

    session_ids = at_once(*[click] * 6)

    assert len(set(session_ids)) == 1
    assert Payment.objects.count() == 1
    assert len(stripe_sandbox.control.list_objects("checkout.session")) == 1
    assert len(stripe_sandbox.control.list_objects("customer")) == 1


def test_five_a_minute_hold_for_a_user_under_parallel_requests(gateway: StripeGateway) -> None:
    customer, pack = make_customer(), make_pack()

    def click() -> str:
        try:
            open_checkout(customer=customer, pack=pack, gateway=gateway)
        except CheckoutRateLimited:
            return "limited"
        return "opened"

    assert Counter(at_once(*[click] * 12)) == {"opened": 5, "limited": 7}


def test_five_a_minute_hold_for_an_address_under_parallel_requests(gateway: StripeGateway) -> None:
    customers, pack = [make_customer() for _ in range(12)], make_pack()

    def click_of(number: int) -> Callable[[], str]:
        def click() -> str:
            try:
                open_checkout(customer=customers[number], pack=pack, gateway=gateway, network_hash="here")
            except CheckoutRateLimited:
                return "limited"
            return "opened"

        return click

    assert Counter(at_once(*[click_of(number) for number in range(12)])) == {"opened": 5, "limited": 7}
