"""A real browser on the real pages: our server, the Stripe stand-in on a port of its own, and a worker for the inbox.

Without Playwright or Chromium these tests are skipped, by name and with the reason (see the root conftest.py).
"""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from billing.models import CreditPack
from billing.services.gateway import configured_gateway
from billing.services.receipts import fetch_missing_receipts
from billing.services.top_ups.cards import save_missing_cards
from billing.webhooks.inbox import work_off_due_events
from config.csp import checkout_additions
from sandbox.stripe.server import SandboxServer

RESULTS = Path(django_settings.BASE_DIR) / "test-results"
WEBHOOK_SECRET = "whsec_test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is a browser test."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


class InboxWorker(threading.Thread):
    """Works off the inbox as the worker and the sweeper do, while it is not paused."""

    def __init__(self) -> None:
        super().__init__(name="inbox", daemon=True)
        self.may_work, self.should_stop = threading.Event(), threading.Event()
        self.may_work.set()
        self.faults: list[Exception] = []

    def run(self) -> None:
        while not self.should_stop.is_set():
            if self.may_work.is_set():
                try:
                    if work_off_due_events(gateway=configured_gateway()):
                        fetch_missing_receipts(gateway=configured_gateway(), now=timezone.now())
                        save_missing_cards(gateway=configured_gateway(), now=timezone.now())
                except Exception as fault:  # shown by the fixture's end; a thread's traceback would be lost
                    self.faults.append(fault)
            self.should_stop.wait(0.1)
        connection.close()

    def pause(self) -> None:
        self.may_work.clear()

    def resume(self) -> None:
        self.may_work.set()


@pytest.fixture
def site(
    live_server: LiveServer,
    stripe_sandbox: SandboxServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The address of a product whose Stripe is the stand-in, with the three demo packs."""
    settings.SITE_URL = live_server.url
    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    settings.STRIPE_JS_URL = f"{stripe_sandbox.base_url}/stripe.js"
    settings.STRIPE_WEBHOOK_SECRET = [WEBHOOK_SECRET]
    settings.CHECKOUT_CSP = checkout_additions(js_url=settings.STRIPE_JS_URL, api_base=settings.STRIPE_API_BASE)
    settings.ACCOUNT_RATE_LIMITS = False
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 0
    monkeypatch.setattr("billing.wake.wake_task", lambda **_: True)  # the thread below looks for itself
    stripe_sandbox.control.add_endpoint(f"{live_server.url}/webhooks/stripe/", secrets=WEBHOOK_SECRET)
    for position, (slug, credits, price_minor) in enumerate(
        [("starter", 1_000, 100), ("standard", 10_000, 1000), ("bulk", 100_000, 9000)]
    ):
        CreditPack.objects.create(
            slug=slug, name=f"{credits:,} credits", credits=credits, price_minor=price_minor, position=position
        )
    return live_server.url


@pytest.fixture
def inbox(site: str) -> Iterator[InboxWorker]:
    """Who works off Stripe's events; a test may pause it."""
    worker = InboxWorker()
    worker.start()
    yield worker
    worker.should_stop.set()
    worker.join(timeout=10)
    assert not worker.faults


@pytest.fixture
def open_page(chromium: Any, site: str) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser of its own; at the end no page may have met the policy's limits or a script's fault."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def listen(page: Any) -> None:
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{page.url}: {message.text}") if "Content Security Policy" in message.text else None
            ),
        )

    def open_in_browser(**options: Any) -> Any:
        context = chromium.new_context(base_url=site, **{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        listen(page)
        return page

    yield open_in_browser
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def page(open_page: Callable[..., Any], inbox: InboxWorker) -> Any:
    """A page of a stranger, with the inbox being worked off."""
    return open_page()


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """Keeps a picture of a page under test-results/."""

    def save(page: Any, name: str) -> None:
        RESULTS.mkdir(exist_ok=True)
        test = re.sub(r"\W+", "-", request.node.name).strip("-")
        page.screenshot(path=RESULTS / f"{test}-{name}.png", full_page=True)

    return save


def link_of_last_mail() -> str:
    """The link in the mail that was sent last."""
    found = re.search(r"http://\S+", str(mail.outbox[-1].body))
    assert found is not None, mail.outbox[-1].body
    return found.group()
