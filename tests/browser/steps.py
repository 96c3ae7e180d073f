"""What a person does on the pages, step by step."""

from typing import Any

import pytest

from tests.browser.conftest import link_of_last_mail

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need Playwright").expect

EMAIL, PASSWORD = "ada@example.com", "a-password-for-ada"
DECLINED_CARD, GOOD_CARD = "4000000000000002", "4242424242424242"


def sign_up(page: Any, *, email: str = EMAIL) -> None:
    """Sign up and open the link of the mail; ends on the overview."""
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm your email address")
    page.goto(link_of_last_mail())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def open_checkout(page: Any, *, pack: str = "10,000 credits") -> Any:
    """From the overview to the payment form of a pack; gives the form's frame."""
    page.get_by_role("link", name="Buy", exact=True).click()
    page.get_by_role("link", name=f"Buy {pack}", exact=True).click()
    return payment_form(page)


def payment_form(page: Any) -> Any:
    """Stripe's form inside the checkout page, once it is there."""
    form = page.frame_locator("[data-checkout] iframe")
    expect(form.locator("[data-pay]")).to_be_visible()
    return form


def pay_by_card(form: Any, *, number: str) -> None:
    """Fill in a card and pay."""
    form.get_by_label("Card number").fill(number)
    form.get_by_label("Expiry date").fill("12 / 34")
    form.get_by_label("Security code").fill("123")
    form.locator("[data-pay]").click()


def wait_for_row(page: Any, *, row: str, text: str) -> None:
    """Load the page again until a row says so: it shows what the inbox has worked off so far."""
    for _ in range(30):
        if text in page.get_by_role("row").filter(has_text=row).first.inner_text():
            return
        page.wait_for_timeout(500)
        page.reload()
    pytest.fail(f"No row of {row!r} came to say {text!r}.")


def mark(page: Any) -> None:
    """Leave a mark that a reload would wipe out."""
    page.evaluate("window.notReloaded = true")


def is_marked(page: Any) -> bool:
    """Whether the page is still the one that was marked."""
    return bool(page.evaluate("window.notReloaded === true"))
