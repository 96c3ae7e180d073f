"""A breach of the contract fails the test that caused it."""

from pathlib import Path

import pytest

from sandbox.stripe.events import emit_event
from sandbox.stripe.server import SandboxServer
from sandbox.tests.stripe.shop import Shop

pytest_plugins = ["pytester"]

_PROJECT_TEST = """
import stripe


def test_that_sends_nonsense(stripe_sandbox):
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": stripe_sandbox.base_url})
    try:
        client.v1.customers.create({"nonsense": "1"})
    except stripe.InvalidRequestError:
        pass


def test_that_is_good(stripe_sandbox):
    assert stripe_sandbox.breaches == []
"""


def test_answer_that_breaks_the_contract_is_noted(shop: Shop) -> None:
    customer = shop.client.v1.customers.create()
    with shop.server.sandbox.work():
        stored = shop.server.sandbox.require("customer", customer.id)
        shop.server.sandbox.store.put({**stored, "paid_out_of_band": True})

    shop.client.v1.customers.retrieve(customer.id)

    assert shop.server.breaches == ["answer of GET /v1/customers/{customer}: customer.paid_out_of_band: no such field"]
    shop.server.breaches.clear()


def test_event_that_breaks_the_contract_is_noted(stripe_sandbox: SandboxServer) -> None:
    with stripe_sandbox.sandbox.work():
        emit_event(stripe_sandbox.sandbox, "customer.adored", {"id": "cus_1", "object": "customer", "deleted": True})

    assert len(stripe_sandbox.breaches) == 1
    assert "customer.adored" in stripe_sandbox.breaches[0]
    stripe_sandbox.breaches.clear()


def test_breach_fails_the_test_that_caused_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(_PROJECT_TEST)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))

    result = pytester.runpytest_subprocess("-p", "sandbox.stripe.testing", "-p", "no:django", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*Received unknown parameter: nonsense*"])
