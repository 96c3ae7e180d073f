"""A pytest plugin: ``pytest_plugins = ["sandbox.stripe.testing"]`` in the root conftest gives every test a sandbox."""

from collections.abc import Iterator

import pytest

from sandbox.stripe.server import SandboxServer


@pytest.fixture(scope="session")
def stripe_sandbox_server() -> Iterator[SandboxServer]:
    """One server for the whole run. Tests use ``stripe_sandbox``, which is empty at the start of each."""
    server = SandboxServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stripe_sandbox(stripe_sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    """An empty sandbox; the test fails if a request, an answer or an event broke Stripe's contract.

    A test that breaks it on purpose empties ``stripe_sandbox.breaches`` at its end.
    """
    stripe_sandbox_server.reset()
    yield stripe_sandbox_server
    breaches = list(stripe_sandbox_server.breaches)
    stripe_sandbox_server.reset()
    if breaches:
        pytest.fail("Stripe's contract was broken:\n  " + "\n  ".join(breaches), pytrace=False)
