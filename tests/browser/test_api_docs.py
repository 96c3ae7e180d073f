"""The page that shows the schema: drawn by our own files, under the policy of every page, and it can be tried out."""

from collections.abc import Callable
from typing import Any

from accounts.api_keys import issue_key
from accounts.models import User
from billing.services.customers import ensure_customer


def test_endpoints_are_shown_and_can_be_tried(open_page: Callable[..., Any], keep: Callable[[Any, str], None]) -> None:
    user = User.objects.create_user("ada@example.com")
    ensure_customer(user=user)
    key = issue_key(user=user, name="Docs", scopes=("read",)).text
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto("/api/docs/")
    page.get_by_text("/api/v1/balance", exact=False).first.wait_for()
    page.get_by_role("button", name="Authorize").first.click()
    form = page.locator(".auth-container").first
    form.locator("input").fill(key)
    form.locator("button.authorize").click()
    page.locator("button.close-modal").click()
    page.locator("#operations-Balance_and_ledger-read_balance").get_by_role("button").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table").get_by_text('"available"', exact=False).wait_for()

    keep(page, "tried")
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {page.url.split("/")[2]}
