"""The main journey: sign up, buy, and see the credits arrive; and what is said when the money does not come."""

from collections.abc import Callable
from typing import Any

from billing.models import Payment
from sandbox.stripe.server import SandboxServer
from tests.browser.conftest import InboxWorker
from tests.browser.steps import (
    DECLINED_CARD,
    GOOD_CARD,
    expect,
    is_marked,
    mark,
    open_checkout,
    pay_by_card,
    payment_form,
    sign_up,
    wait_for_row,
)

Keep = Callable[[Any, str], None]


def test_sign_up_brings_the_bonus_and_a_pack_arrives_without_reloading(
    page: Any, inbox: InboxWorker, keep: Keep
) -> None:
    sign_up(page)
    expect(page.locator(".balance-chip")).to_contain_text("500")
    keep(page, "1-overview")

    form = open_checkout(page)
    keep(page, "2-checkout")
    inbox.pause()
    pay_by_card(form, number=GOOD_CARD)
    expect(page.locator("[data-state]")).to_be_visible()
    mark(page)
    keep(page, "3-waiting")
    inbox.resume()

    expect(page.locator("[data-state=credited]")).to_contain_text("10,000 credits have arrived")
    expect(page.locator(".balance-chip")).to_contain_text("10,500")
    expect(page.get_by_role("link", name="Receipt")).to_be_visible()
    assert is_marked(page)
    keep(page, "4-credited")
    page.get_by_role("link", name="See it in the ledger").click()
    expect(page.locator("td.amount")).to_have_text("+10,000")


def test_decline_says_why_and_charges_nothing(page: Any, keep: Keep) -> None:
    sign_up(page)

    pay_by_card(open_checkout(page), number=DECLINED_CARD)

    expect(payment_form(page).get_by_role("alert")).to_contain_text("Your card was declined.")
    keep(page, "1-declined")
    page.goto("/billing/payments/")
    wait_for_row(page, row="10,000 credits", text="Your card was declined.")
    expect(page.locator(".balance-chip")).to_contain_text("500")
    keep(page, "2-payments")

    page.get_by_role("link", name="Continue to pay").click()
    pay_by_card(payment_form(page), number=GOOD_CARD)

    expect(page.locator("[data-state=credited]")).to_be_visible()
    assert Payment.objects.count() == 1


def test_delayed_payment_is_on_its_way_and_then_credited(page: Any, stripe_sandbox: SandboxServer, keep: Keep) -> None:
    sign_up(page)
    form = open_checkout(page)
    form.get_by_label("Bank debit").check()
    form.get_by_label("Account number").fill("000123456789")
    form.locator("[data-pay]").click()
    expect(page.locator("[data-state=processing]")).to_contain_text("Your payment is on its way")
    mark(page)
    keep(page, "1-processing")

    session_id = Payment.objects.get().checkout_session_id
    stripe_sandbox.control.settle_delayed(str(session_id))

    expect(page.locator("[data-state=credited]")).to_be_visible()
    expect(page.locator(".balance-chip")).to_contain_text("10,500")
    assert is_marked(page)
    keep(page, "2-credited")


def test_delayed_payment_that_fails_says_why(page: Any, stripe_sandbox: SandboxServer, keep: Keep) -> None:
    sign_up(page)
    form = open_checkout(page)
    form.get_by_label("Bank debit").check()
    form.get_by_label("Account number").fill("000111111113")
    form.locator("[data-pay]").click()
    expect(page.locator("[data-state=processing]")).to_be_visible()

    session_id = Payment.objects.get().checkout_session_id
    stripe_sandbox.control.settle_delayed(str(session_id), succeed=False)

    expect(page.locator("[data-state=failed]")).to_contain_text("Nothing was charged.")
    expect(page.locator(".balance-chip")).to_contain_text("500")
    keep(page, "1-failed")


def test_amount_of_ones_own_shows_its_credits_while_typing(page: Any, keep: Keep) -> None:
    sign_up(page)
    page.get_by_role("link", name="Buy", exact=True).click()

    page.get_by_label("Amount in US dollars").fill("4")
    expect(page.locator("[data-preview]")).to_have_text("Choose between $5 and $500.")
    page.get_by_label("Amount in US dollars").fill("25.50")
    expect(page.locator("[data-preview]")).to_have_text("25,500 credits. After purchase you will have 26,000.")
    keep(page, "1-preview")
    page.get_by_role("button", name="Continue").click()
    pay_by_card(payment_form(page), number=GOOD_CARD)

    expect(page.locator("[data-state=credited]")).to_contain_text("25,500 credits have arrived")


def test_purchase_by_keyboard_alone(page: Any) -> None:
    sign_up(page)
    press_until(page, lambda: focused_text(page) == "Buy")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Buy credits")
    press_until(page, lambda: focused_text(page) == "Buy 1,000 credits")
    page.keyboard.press("Enter")
    form = payment_form(page)
    press_until(page, lambda: form.locator("#number:focus").count() == 1)
    for text in (GOOD_CARD, "1234", "123"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    press_until(page, lambda: form.locator("[data-pay]:focus").count() == 1)
    page.keyboard.press("Enter")

    expect(page.locator("[data-state=credited]")).to_contain_text("1,000 credits have arrived")


def test_blocked_script_leads_to_stripes_own_page(page: Any, keep: Keep) -> None:
    page.route("**/stripe.js", lambda route: route.abort())
    sign_up(page)
    page.goto("/billing/buy/standard/")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was charged")
    expect(page.locator("[data-checkout]")).to_be_hidden()
    keep(page, "1-blocked")

    page.get_by_role("button", name="Pay on Stripe's own page instead").click()
    pay_by_card(page, number=GOOD_CARD)

    expect(page.locator("[data-state=credited]")).to_be_visible()


def test_turning_back_at_stripes_page_charges_nothing_without_scripts_too(
    open_page: Callable[..., Any], inbox: InboxWorker
) -> None:
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.goto("/billing/buy/standard/")
    page.get_by_role("button", name="Pay on Stripe's own page instead").click()
    page.get_by_role("link", name="Cancel and go back").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("You left the checkout")
    expect(page.get_by_text("Nothing was charged.")).to_be_visible()


def test_too_many_checkouts_count_the_seconds_down(page: Any, settings: Any, keep: Keep) -> None:
    sign_up(page)
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 1
    page.goto("/billing/buy/standard/")
    payment_form(page)

    page.goto("/billing/buy/starter/")

    expect(page.get_by_role("alert")).to_contain_text("You can go on in")
    expect(page.get_by_role("button", name="Try again")).to_be_disabled()
    keep(page, "1-limited")


def press_until(page: Any, is_there: Callable[[], bool], *, most: int = 60) -> None:
    """Press Tab until the focus is where it should be."""
    for _ in range(most):
        if is_there():
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Not reached by {most} times Tab on {page.url}")


def focused_text(page: Any) -> str:
    """The text of what has the focus."""
    text: str = page.evaluate("(document.activeElement?.textContent || '').replace(/\\s+/g, ' ').trim()")
    return text
