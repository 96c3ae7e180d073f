"""Fixtures and start of every test run."""

import os

import pytest
from hypothesis import HealthCheck, settings

from config.leftovers import drop_leftover_databases

pytest_plugins = ["sandbox.stripe.testing"]

NIGHTLY_FACTOR = 20
EXAMPLES = 100
SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("default", deadline=None, max_examples=EXAMPLES, suppress_health_check=SLOW_MACHINE)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=EXAMPLES * NIGHTLY_FACTOR)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Drop what killed runs left, once per run and not in each of its workers."""
    uses_embedded_server = not os.environ.get("DATABASE_URL")
    if uses_embedded_server and not hasattr(session.config, "workerinput"):
        drop_leftover_databases()
