"""What a client of Stripe must live with."""

import time

import pytest
import stripe

from sandbox.stripe.server import SandboxServer
from sandbox.tests.stripe.shop import Shop


def impatient(server: SandboxServer, *, timeout: float = 10, retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient(
        "sk_test_x",
        base_addresses={"api": server.base_url},
        http_client=stripe.RequestsClient(timeout=timeout),
        max_network_retries=retries,
    )


def test_error_does_nothing(stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.add_fault("error", method="POST", path="/v1/customers")
    client = impatient(stripe_sandbox)

    with pytest.raises(stripe.APIError):
        client.v1.customers.create()

    assert client.v1.customers.list().data == []


def test_lost_response_is_found_again_by_its_key(stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.add_fault("lost_response", method="POST")
    client = impatient(stripe_sandbox)

    with pytest.raises(stripe.APIError):
        client.v1.customers.create({}, {"idempotency_key": "k1"})
    customer = client.v1.customers.create({}, {"idempotency_key": "k1"})

    assert [found.id for found in client.v1.customers.list().data] == [customer.id]


def test_sdk_lives_through_a_dropped_connection(stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.add_fault("dropped_connection", method="POST")
    client = impatient(stripe_sandbox, retries=1)

    customer = client.v1.customers.create()

    assert [found.id for found in client.v1.customers.list().data] == [customer.id]


def test_timeout_leaves_the_work_done(stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.add_fault("timeout", method="POST", seconds=0.6)
    client = impatient(stripe_sandbox, timeout=0.2)

    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create()

    assert len(client.v1.customers.list().data) == 1


def test_slow_answer(stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.add_fault("slow", seconds=0.2)
    started = time.monotonic()

    impatient(stripe_sandbox).v1.customers.list()

    assert time.monotonic() - started >= 0.2


def test_rate_limit(stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.add_fault("rate_limit", times=2)
    client = impatient(stripe_sandbox)

    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.customers.list()

    assert client.v1.customers.list().data == []


def test_share_of_reads_fails_and_writes_do_not(shop: Shop) -> None:
    shop.control.fail_reads(percent=30)
    failed = 0

    for _ in range(200):
        try:
            shop.client.v1.prices.retrieve(shop.price.id)
        except stripe.APIError:
            failed += 1
    shop.client.v1.customers.create()

    assert 30 <= failed <= 90
    shop.control.clear_faults()
    shop.client.v1.prices.retrieve(shop.price.id)
