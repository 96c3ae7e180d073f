"""What staff do in the admin, step by step."""

from typing import Any

from sandbox.demo.accounts import DemoAccount
from tests.browser.steps import expect

# Unfold's own frame has a <div> where a <main> should be, and labels its scroll areas alike; the pages inside are ours.
RULES_OF_THE_FRAME = ("landmark-one-main", "landmark-unique", "region")


def log_in_as(page: Any, account: DemoAccount) -> None:
    """Log in as somebody of the demo; ends on the first page of the admin."""
    page.goto("/accounts/login/?next=/admin/")
    page.get_by_label("Email").fill(account.email)
    page.get_by_label("Password").fill(account.password)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/admin/")


def open_list(page: Any, name: str) -> None:
    """By the menu."""
    page.locator("#nav-sidebar-apps a").filter(has=page.get_by_text(name, exact=True)).first.click()
    expect(page.locator("#changelist").first).to_be_visible()


def find_customer(page: Any, *, email: str) -> None:
    """From anywhere to a customer's page, by the search of the list."""
    open_list(page, "Customers")
    page.locator("#searchbar").fill(email)
    page.keyboard.press("Enter")
    page.locator("#result_list").get_by_role("link", name=email, exact=True).first.click()
    expect(page.get_by_role("heading", name="Latest entries")).to_be_visible()


def act(page: Any, name: str) -> None:
    """Press one of the buttons at the top of a row's page."""
    page.get_by_role("link", name=name, exact=True).click()


def fill_adjustment(page: Any, *, amount: str, note: str) -> None:
    """Give credits, up to the preview."""
    page.get_by_label("Amount").fill(amount)
    page.get_by_label("Reason").select_option("goodwill")
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Show what it does").click()
    expect(page.get_by_text("Nothing has been posted yet")).to_be_visible()


def press_until(page: Any, selector: str, *, most: int = 80) -> None:
    """Press Tab until the focus is on what the selector names."""
    for _ in range(most):
        if page.locator(f"{selector}:focus").count():
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"The focus never came to {selector}.")
