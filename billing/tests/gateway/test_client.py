"""The gateway over HTTP, against the sandbox."""

import importlib
import time
from typing import Any

import pytest

from billing.errors import StripeObjectMissing, StripeRefused, StripeUnavailable
from billing.gateway.client import API_VERSION, StripeGateway, amount_line, price_line
from billing.gateway.faults import missing_param
from sandbox.stripe.server import SandboxServer


@pytest.fixture
def stripe(stripe_sandbox: SandboxServer) -> StripeGateway:
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url)


def create_session(stripe: StripeGateway, customer_id: str, **fields: Any) -> Any:
    arguments: dict[str, Any] = {
        "payment_reference": "pay_1",
        "customer_id": customer_id,
        "line_item": amount_line(amount_minor=1000, currency="usd", name="10,000 credits"),
        "ui_mode": "embedded_page",
        "return_url": "http://127.0.0.1/return/?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1/cancelled/",
        "description": "10,000 credits",
        "takes_codes": True,
        "is_taxed": False,
        "idempotency_key": "checkout-1",
    }
    return stripe.create_checkout_session(**{**arguments, **fields})


@pytest.fixture
def customer_id(stripe: StripeGateway) -> str:
    return stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="customer-1").id


def test_same_key_gives_the_same_customer(stripe: StripeGateway, customer_id: str) -> None:
    again = stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="customer-1")

    assert again.id == customer_id


def test_post_without_a_key_is_a_mistake_of_ours(stripe: StripeGateway) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="")


def test_session_carries_our_payment_to_session_and_intent(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    session = create_session(stripe, customer_id)

    assert session.payment_reference == "pay_1"
    assert (session.status, session.payment_status, session.amount_subtotal_minor) == ("open", "unpaid", 1000)
    assert session.client_secret
    assert not session.url
    stripe_sandbox.control.pay_session(session.id)
    paid = stripe.retrieve_session(session_id=session.id)
    intent = stripe.retrieve_payment_intent(payment_intent_id=paid.payment_intent_id)
    assert (paid.status, paid.payment_status, paid.customer_id) == ("complete", "paid", customer_id)
    assert (intent.status, intent.amount_received_minor, intent.payment_reference) == ("succeeded", 1000, "pay_1")
    assert intent.receipt_url
    assert intent.charge_id
    found = stripe.find_session_of_intent(payment_intent_id=intent.id)
    assert found is not None
    assert found.id == session.id
    assert [listed.id for listed in stripe.list_sessions_of_customer(customer_id=customer_id)] == [session.id]


def test_hosted_page_has_an_address_and_no_secret(stripe: StripeGateway, customer_id: str) -> None:
    session = create_session(stripe, customer_id, ui_mode="hosted_page")

    assert session.url
    assert not session.client_secret


def test_tax_is_asked_for_where_it_is_on(
    stripe: StripeGateway, customer_id: str, stripe_sandbox: SandboxServer
) -> None:
    taxed = create_session(stripe, customer_id, is_taxed=True)
    untaxed = create_session(stripe, customer_id, idempotency_key="checkout-2")

    sessions = [stripe_sandbox.control.get_object(made.id) or {} for made in (taxed, untaxed)]
    assert [session["automatic_tax"]["enabled"] for session in sessions] == [True, False]
    assert [session["tax_id_collection"]["enabled"] for session in sessions] == [True, False]
    stripe_sandbox.control.pay_session(taxed.id, country="FR")
    paid = stripe.retrieve_session(session_id=taxed.id)
    assert (paid.amount_subtotal_minor, paid.amount_tax_minor, paid.amount_total_minor) == (1000, 200, 1200)


def test_session_can_be_expired_once(stripe: StripeGateway, customer_id: str) -> None:
    session = create_session(stripe, customer_id)

    assert stripe.expire_session(session_id=session.id, idempotency_key="expire-1").status == "expired"
    with pytest.raises(StripeRefused):
        stripe.expire_session(session_id=session.id, idempotency_key="expire-2")


def test_products_and_prices(stripe: StripeGateway, customer_id: str) -> None:
    product = stripe.create_product(name="10,000 credits", reference="pack", idempotency_key="product-1")
    price = stripe.create_price(
        product_id=product.id, amount_minor=1000, currency="usd", reference="pack", idempotency_key="price-1"
    )

    assert stripe.retrieve_product(product_id=product.id).name == "10,000 credits"
    assert stripe.retrieve_price(price_id=price.id) == price
    assert (price.amount_minor, price.is_recurring, price.is_active) == (1000, False, True)
    session = create_session(stripe, customer_id, line_item=price_line(price_id=price.id))
    assert session.amount_subtotal_minor == 1000
    assert not stripe.deactivate_price(price_id=price.id, idempotency_key="end-1").is_active


def test_unknown_objects_are_missing_and_say_which(stripe: StripeGateway) -> None:
    with pytest.raises(StripeObjectMissing):
        stripe.retrieve_session(session_id="cs_test_unknown")
    with pytest.raises(StripeObjectMissing) as caught:
        create_session(stripe, "cus_unknown")

    assert missing_param(caught.value) == "customer"


def test_refusal_tells_what_stripe_says(stripe: StripeGateway, customer_id: str) -> None:
    line_item = amount_line(amount_minor=1, currency="usd", name="a cent")

    with pytest.raises(StripeRefused) as caught:
        create_session(stripe, customer_id, line_item=line_item)

    assert caught.value.request_id
    assert str(caught.value)


def test_key_with_other_values_is_refused(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    create_session(stripe, customer_id)

    with pytest.raises(StripeRefused):
        create_session(stripe, customer_id, description="something else")


def test_lost_response_is_asked_for_again_and_nothing_is_done_twice(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    stripe_sandbox.control.add_fault("lost_response", method="POST", path="/v1/checkout/sessions")

    create_session(stripe, customer_id)

    assert len(stripe_sandbox.control.list_objects("checkout.session")) == 1


@pytest.mark.parametrize("kind", ["error", "rate_limit", "dropped_connection"])
def test_failing_stripe_is_unavailable(stripe_sandbox: SandboxServer, kind: Any) -> None:
    stripe = StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)
    stripe_sandbox.control.add_fault(kind)

    with pytest.raises(StripeUnavailable):
        stripe.retrieve_price(price_id="price_1")


def test_unreachable_stripe_is_unavailable() -> None:
    stripe = StripeGateway(secret_key="sk_test_sandbox", api_base="http://127.0.0.1:1", max_network_retries=0)

    with pytest.raises(StripeUnavailable):
        stripe.retrieve_price(price_id="price_1")


def test_slow_stripe_is_unavailable_after_the_timeout(stripe_sandbox: SandboxServer) -> None:
    stripe = StripeGateway(
        secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, timeout_seconds=0.1, max_network_retries=0
    )
    stripe_sandbox.control.add_fault("slow", seconds=0.5)
    begun = time.monotonic()

    with pytest.raises(StripeUnavailable):
        stripe.retrieve_price(price_id="price_1")

    assert time.monotonic() - begun < 0.45
    time.sleep(0.5)  # the sandbox still answers, to nobody


def test_wrong_key_is_no_fault_of_the_request(stripe_sandbox: SandboxServer) -> None:
    stripe = StripeGateway(secret_key="nonsense", api_base=stripe_sandbox.base_url, max_network_retries=0)

    with pytest.raises(StripeUnavailable):
        stripe.retrieve_price(price_id="price_1")


def test_pinned_version_is_the_one_of_the_installed_sdk() -> None:
    sdk = importlib.import_module("stripe")

    assert sdk.api_version == API_VERSION
    assert sdk.enable_telemetry is False
