"""Fixtures and start of every test run."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import AppConfig, apps
from django.db import connection
from django.db.models.signals import post_migrate
from hypothesis import HealthCheck, settings

from config.leftovers import drop_leftover_databases

pytest_plugins = ["sandbox.stripe.testing", "sandbox.llm.testing"]

EXAMPLES = 100
NIGHTLY_FACTOR = 20
SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

settings.register_profile("default", deadline=None, max_examples=EXAMPLES, suppress_health_check=SLOW_MACHINE)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=EXAMPLES * NIGHTLY_FACTOR)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Drop what killed runs left, once per run and not in each of its workers."""
    uses_embedded_server = not os.environ.get("DATABASE_URL")
    if uses_embedded_server and not hasattr(session.config, "workerinput"):
        drop_leftover_databases()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with the reason, what cannot run here (no Chromium) or takes a night."""
    reasons = {"browser": find_missing_browser(), "nightly": find_daytime(config)}
    for item in items:
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Announce every test that did not run, by name and with its reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("not run")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.line(f"{report.nodeid}: {str(reason).removeprefix('Skipped: ')}")


@pytest.fixture(scope="session", autouse=True)
def groups_of_staff() -> Iterator[None]:
    """Tests that empty all tables are followed by the groups that a migration made, like by Django's permissions."""

    def make_groups_again(sender: AppConfig, **_: Any) -> None:
        with connection.schema_editor() as editor:
            import_module("billing.migrations.0004_groups").make_groups(apps, editor)
            for name in (
                "0006_groups_for_usage",
                "0013_groups_for_vouchers",
                "0016_groups_for_webhooks",
                "0018_groups_for_mails",
                "0020_groups_for_top_ups",
                "0022_groups_for_plans",
                "0028_groups_for_credit_notes",
            ):
                import_module(f"billing.migrations.{name}").extend_groups(apps, editor)

    post_migrate.connect(make_groups_again, sender=apps.get_app_config("billing"))
    yield
    post_migrate.disconnect(make_groups_again, sender=apps.get_app_config("billing"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One Chromium for the run: Playwright can be started once in a process."""
    from playwright.sync_api import sync_playwright  # only with requirements-dev.txt

    # Playwright's event loop runs in this thread, and Django would refuse the tests' own queries because of it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


def find_chromium() -> str | None:
    """Where Chromium is; the variable CHROMIUM names a place that is not on the PATH."""
    names = (os.environ.get("CHROMIUM", ""), *CHROMIUM_NAMES)
    return next((path for name in names if name and (path := shutil.which(name))), None)


def find_missing_browser() -> str | None:
    """Why browser tests cannot run here, or None."""
    if not importlib.util.find_spec("playwright"):
        return "Playwright is not installed (requirements-dev.txt)"
    if find_chromium() is None:
        return "Chromium is not installed (apt-get install chromium)"
    return None


def find_daytime(config: pytest.Config) -> str | None:
    """Why a test of the night does not run now, or None."""
    is_night = "nightly" in config.getoption("markexpr") or settings.get_current_profile_name() == "nightly"
    return None if is_night else "takes long; run it with --hypothesis-profile=nightly"
