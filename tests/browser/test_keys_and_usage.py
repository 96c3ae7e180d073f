"""A key from its making to its end: copied, used by a program, seen in usage, rotated, revoked; also by keys alone."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress

from accounts.models import ApiKey, User
from billing.models import BillingCustomer
from billing.services.customers import ensure_customer
from billing.tests.views.rows import add_entry

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need Playwright")
expect = playwright.expect
Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the browser tests need axe-core").Axe
EMAIL, PASSWORD = "grace@example.com", "a-password-for-grace"


@pytest.fixture
def customer(site: str) -> BillingCustomer:
    user = User.objects.create_user(EMAIL, PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    customer = ensure_customer(user=user)
    add_entry(customer, "500")
    return customer


@pytest.fixture
def page(open_page: Callable[..., Any], customer: BillingCustomer) -> Any:
    """The overview of somebody logged in, who may use the clipboard."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/billing/")
    return page


def call_api(site: str, path: str, key: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """What a program gets: status and answer."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{site}/api/v1/{path}",
        data=json.dumps(body).encode() if body else None,
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": uuid4().hex,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def give_password(page: Any) -> None:
    """What is asked for before a key is made."""
    page.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def copy_key(page: Any) -> str:
    """Copy the key that is shown, and hear that it was copied; gives it."""
    page.get_by_role("button", name="Copy the key").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    assert copied == page.get_by_label("Server").input_value()
    return copied


def check_no_barriers(page: Any) -> None:
    faults = [f"{page.url}: {fault['id']} ({fault['help']})" for fault in Axe().run(page).response["violations"]]
    assert not faults, "\n".join(faults)


def test_key_is_made_used_rotated_and_revoked(
    page: Any, site: str, customer: BillingCustomer, keep: Callable[[Any, str], None]
) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="API keys").click()
    page.get_by_role("link", name="Make a key").click()
    give_password(page)
    page.get_by_label("Name").fill("Server")
    page.get_by_label("Monthly limit in credits").fill("100")
    page.get_by_role("button", name="Make the key").click()
    check_no_barriers(page)
    keep(page, "secret")
    first = copy_key(page)

    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")
    assert first not in page.content()
    assert ApiKey.objects.count() == 1

    status, entry = call_api(site, "debits", first, {"amount": "12.5", "description": "Image 7"})
    assert (status, entry["amount"]) == (201, "-12.500000")
    page.reload()
    row = page.get_by_role("row").filter(has_text="Server")
    expect(row).to_contain_text("12.5")
    expect(row).to_contain_text("of 100")
    expect(row).not_to_contain_text("Never")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Usage").click()
    expect(page.locator(".tiles")).to_contain_text("12.5")
    page.get_by_role("link", name="By key").click()
    expect(page.get_by_role("row").filter(has_text="Server (…")).to_contain_text("12.5")

    page.goto("/accounts/api-keys/")
    page.get_by_role("link", name="Rotate Server").click()
    page.get_by_role("button", name="Make the new key").click()
    second = copy_key(page)
    assert second != first
    assert [call_api(site, "balance", key)[0] for key in (first, second)] == [200, 200]

    page.get_by_role("link", name="I have it").click()
    page.get_by_role("row").filter(has_text="Rotated").get_by_role("link", name="Revoke").click()
    page.get_by_label("Type the key's name").fill("Serve")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("nothing was revoked")).to_be_visible()
    check_no_barriers(page)
    page.get_by_label("Type the key's name").fill("Server")
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("status").filter(has_text="is revoked")).to_be_visible()
    assert call_api(site, "balance", first)[0] == 401
    assert call_api(site, "balance", second)[0] == 200


def tab_to(page: Any, name: str) -> None:
    """Go on with the Tab key until what is named has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const element = document.activeElement;
                const label = element.labels?.[0]?.textContent ?? "";
                return `${label} ${element.textContent} ${element.type ?? ""}`;
            }"""
        )
        if name in focused:
            return
    pytest.fail(f"The Tab key does not reach {name!r}.")


def test_key_is_made_and_revoked_without_a_mouse(page: Any, site: str) -> None:
    keyboard = page.keyboard
    tab_to(page, "API keys")
    keyboard.press("Enter")
    page.wait_for_url("**/accounts/api-keys/")
    tab_to(page, "Make a key")
    keyboard.press("Enter")
    page.wait_for_url("**/reauthenticate/**")
    tab_to(page, "password")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    page.wait_for_url("**/accounts/api-keys/new/")
    tab_to(page, "Name")
    keyboard.type("Server")
    tab_to(page, "Spend credits")
    keyboard.press("Space")  # takes the right to spend away
    tab_to(page, "Make the key")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new API key")
    tab_to(page, "Copy the key")
    keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    secret = str(page.evaluate("navigator.clipboard.readText()"))
    assert ApiKey.objects.get().scopes == ["read"]

    tab_to(page, "I have it")
    keyboard.press("Enter")
    page.wait_for_url("**/accounts/api-keys/")
    tab_to(page, "Revoke")
    keyboard.press("Enter")
    page.wait_for_url("**/revoke/")
    tab_to(page, "Type the key's name")
    keyboard.type("Server")
    keyboard.press("Enter")
    page.wait_for_url("**/accounts/api-keys/")

    assert call_api(site, "balance", secret)[0] == 401


def test_page_without_scripts_shows_the_key_to_copy_by_hand(
    open_page: Callable[..., Any], customer: BillingCustomer
) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/accounts/login/?next=/accounts/api-keys/new/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    give_password(page)
    page.get_by_label("Name").fill("Server")
    page.get_by_role("button", name="Make the key").click()

    assert page.get_by_label("Server").input_value().startswith("ppk_test_")
    assert page.get_by_role("button", name="Copy the key").count() == 0
