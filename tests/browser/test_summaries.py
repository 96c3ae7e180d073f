"""Somebody has a real commit summarised: the cost before, the state meanwhile, the cost after, and the ledger."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from pytest_django import Settings

from accounts.models import User
from billing.credits import add_credits
from billing.models import LedgerEntry
from billing.money import format_credits
from billing.services.customers import ensure_customer
from sandbox.demo.repository import ensure_repository
from sandbox.llm.testing import RunningLlm
from tests.browser.test_pages import WIDTHS, Axe
from usage.models import CommitSummary
from usage.services.summary_runs import run_summary
from usage.tests.factories import make_price

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need Playwright").expect
EMAIL, PASSWORD = "ada@example.com", "a-password-for-ada"


class SummaryWorker(threading.Thread):
    """Does the summaries that it is woken for, as a Celery worker does, while it is not paused."""

    def __init__(self) -> None:
        super().__init__(name="summaries", daemon=True)
        self.messages: SimpleQueue[str] = SimpleQueue()
        self.may_work = threading.Event()
        self.may_work.set()

    def wake(self, *, name: str, arguments: tuple[str | int, ...] = ()) -> bool:
        if name == "usage.run_summary":
            self.messages.put(str(arguments[0]))
        return True

    def run(self) -> None:
        while public_id := self.messages.get():
            self.may_work.wait(60)
            run_summary(public_id=public_id)
        connection.close()


@pytest.fixture
def worker(site: str, llm: RunningLlm, monkeypatch: pytest.MonkeyPatch) -> Iterator[SummaryWorker]:
    """A worker for summaries, and the stand-in for the language model."""
    worker = SummaryWorker()
    monkeypatch.setattr("billing.wake.wake_task", worker.wake)
    worker.start()
    yield worker
    worker.may_work.set()
    worker.messages.put("")
    worker.join(timeout=30)


@pytest.fixture
def repository(tmp_path: Path, settings: Settings) -> Path:
    """The demo's repository, the only one that is allowed."""
    folder = tmp_path / "deliveries"
    ensure_repository(folder=folder)
    settings.SUMMARY_REPOSITORIES = [str(folder)]
    return folder


def log_in(page: Any, *, credits: int) -> User:
    """Somebody with so many credits, logged in, where the model of summaries has a price."""
    make_price(
        "gpt-5-mini",
        input_usd_per_1k="0.0025",
        cached_input_usd_per_1k="0.001",
        output_usd_per_1k="0.002",
        output_reserve_tokens=400,
    )
    user = User.objects.create_user(EMAIL, PASSWORD)
    EmailAddress.objects.create(user=user, email=EMAIL, verified=True, primary=True)
    ensure_customer(user=user)
    add_credits(user, credits, kind="promotion", idempotency_key="test-credits")
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/billing/")
    return user


def check_accessible(page: Any) -> None:
    """No fault that axe finds, and nothing wider than a small telephone."""
    faults = [violation["id"] for violation in Axe().run(page).response["violations"]]
    assert not faults, f"{page.url}: {faults}"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, f"{page.url}: {width}"
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_real_commit_is_summarised_with_its_cost_on_the_page_and_in_the_ledger(
    page: Any, worker: SummaryWorker, llm: RunningLlm, repository: Path, keep: Callable[[Any, str], None]
) -> None:
    user = log_in(page, credits=500)
    page.get_by_role("link", name="Summaries", exact=True).click()
    expect(page.get_by_role("heading", name="No summaries yet")).to_be_visible()
    check_accessible(page)
    commits = page.get_by_label("Commit", exact=True)
    commits.select_option(index=1)
    assert "Refuse parcels without a weight" in commits.locator("option:checked").inner_text()
    page.get_by_role("button", name="See what it costs").first.click()

    expect(page.get_by_role("heading", level=2)).to_have_text("Refuse parcels without a weight")
    estimate = page.locator("[data-estimate]").inner_text()
    assert not LedgerEntry.objects.filter(kind="usage").exists()
    check_accessible(page)
    keep(page, "before")
    worker.may_work.clear()
    page.get_by_role("button", name="Summarise for about").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Waiting…")
    expect(page.locator("[data-held]")).to_be_visible()
    check_accessible(page)
    keep(page, "meanwhile")
    page.evaluate("window.notReloaded = true")
    worker.may_work.set()
    expect(page.get_by_role("heading", level=2)).to_have_text("Summary")
    assert page.evaluate("window.notReloaded") is True
    expect(page.get_by_text("This change touches 2 files")).to_be_visible()
    check_accessible(page)
    keep(page, "after")

    summary = CommitSummary.objects.select_related("usage_event__entry").get()
    (call,) = llm.calls()
    event = summary.usage_event
    assert event is not None
    assert event.entry is not None
    by_hand = Decimal(event.input_tokens) * Decimal("0.0025") + Decimal(event.output_tokens) * Decimal("0.002")
    assert event.cached_tokens == 0
    assert event.credits == -event.entry.amount == by_hand > 0
    assert "raise ValueError" in call["body"]["messages"][-1]["content"]
    assert page.locator("[data-charged]").inner_text() == format_credits(event.credits)
    assert page.locator("[data-estimated]").inner_text() == estimate.split()[0]
    page.get_by_role("link", name="in the ledger").click()
    row = page.locator(f"#entry-{event.entry.sequence}")
    expect(row).to_contain_text(format_credits(event.entry.amount, signed=True))
    assert user.billing_customer.balance.posted == 500 - event.credits


def test_a_pasted_diff_without_credits_is_refused_before_and_leads_to_the_shop(
    page: Any, worker: SummaryWorker, llm: RunningLlm, keep: Callable[[Any, str], None]
) -> None:
    log_in(page, credits=1)
    page.goto("/usage/summaries/")
    page.get_by_label("Diff").fill("Write a poem.")
    page.get_by_role("button", name="See what it costs").click()
    expect(page.get_by_role("alert").first).to_contain_text("That cannot be summarised. Nothing was charged.")
    check_accessible(page)
    keep(page, "no-diff")
    page.get_by_label("Diff").fill("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-one\n+two\n" * 40)
    page.get_by_role("button", name="See what it costs").click()

    expect(page.get_by_text("you have 1.", exact=False)).to_be_visible()
    check_accessible(page)
    keep(page, "no-credits")
    page.locator(".panel").get_by_role("link", name="Buy credits").click()
    page.wait_for_url("**/billing/buy/")
    assert llm.calls() == []


def test_a_failure_says_not_charged_and_can_be_tried_again(
    page: Any, worker: SummaryWorker, llm: RunningLlm, repository: Path, keep: Callable[[Any, str], None]
) -> None:
    log_in(page, credits=500)
    llm.wish("[fail 400]")
    page.goto("/usage/summaries/")
    page.get_by_role("button", name="See what it costs").first.click()
    page.get_by_role("button", name="Summarise for about").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("No summary, and nothing charged")
    check_accessible(page)
    keep(page, "failed")
    llm.wish("")
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("heading", level=2)).to_have_text("Summary")
    page.get_by_role("link", name="All summaries").click()
    expect(page.get_by_role("row")).to_have_count(3)
    check_accessible(page)
    keep(page, "list")
    assert LedgerEntry.objects.filter(kind="usage").count() == 1
