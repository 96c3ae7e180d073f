"""Every main page, empty and full, in both themes: accessible, no wider than the window, and kept as a picture."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.api_keys import issue_key, revoke_key, rotate_key
from accounts.models import ApiKey, User
from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditPack, Payment
from billing.notice_kinds import NoticeEvent
from billing.services.customers import ensure_customer
from billing.services.holds import place_hold
from billing.services.mail_rendering import unsubscribe_url
from billing.tests.views.rows import add_entry, make_payment
from billing.tests.views.test_invoices import make_invoice
from billing.tests.views.test_notice_banners import say
from tests.browser.steps import payment_form
from usage.models import UsageEvent
from usage.tests.factories import make_price
from usage.tests.views.spending import call, direct_debit, failed_call

Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the browser tests need axe-core").Axe
PUBLIC = {
    "home": "/",
    "signup": "/accounts/signup/",
    "login": "/accounts/login/",
    "confirm": "/accounts/confirm-email/",
    "password-reset": "/accounts/password/reset/",
    "not-found": "/no-such-page/",
}
OWN = {
    "overview": "/billing/",
    "buy": "/billing/buy/",
    "buy-amount-refused": "/billing/buy/custom/?amount=4",
    "payments": "/billing/payments/",
    "top-up": "/billing/top-up/",
    "settings": "/billing/settings/",
    "billing-details": "/billing/details/",
    "ledger": "/billing/ledger/",
    "ledger-filtered": "/billing/ledger/?kind=usage",
    "ledger-refused": "/billing/ledger/?since=x",
    "usage": "/billing/usage/",
    "usage-by-model": "/billing/usage/?by=model&period=90",
    "usage-by-key": "/billing/usage/?by=key&period=7",
    "usage-narrowed": "/billing/usage/?outcome=not_charged",
    "usage-refused": "/billing/usage/?period=x",
    "summaries": "/usage/summaries/",
    "cancelled": "/billing/checkout/cancelled/",
    "api-keys": "/accounts/api-keys/",
    "account-email": "/accounts/email/",
    "account-mfa": "/accounts/2fa/",
    "account-sessions": "/accounts/sessions/",
}
MONEY = {
    "overview": "/billing/",
    "buy": "/billing/buy/",
    "plans": "/billing/plans/",
    "payments": "/billing/payments/",
    "invoices": "/billing/invoices/",
    "ledger": "/billing/ledger/",
}
WIDTHS = (320, 375, 768, 1440)
Keep = Callable[[Any, str], None]


@pytest.fixture
def customer(site: str) -> BillingCustomer:
    user = User.objects.create_user("grace@example.com", "a-password-for-grace")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return ensure_customer(user=user)


def fill(customer: BillingCustomer) -> dict[str, str]:
    """A history with every kind of row; gives the return pages of payments in each state."""
    now = timezone.now()
    fill_usage(customer)
    paid = make_payment(customer, paid_at=now, paid_amount_minor=1000, paid_currency="usd", posting_count=1)
    add_entry(customer, "500", kind=EntryKind.SIGNUP_BONUS)
    add_entry(customer, "10000", kind=EntryKind.PURCHASE, payment_id=paid.pk, cost_minor=1000, currency="usd")
    for number in range(30):
        add_entry(customer, f"-{number + 1}.000412", kind=EntryKind.USAGE, description=f"Summary of report {number}")
    place_hold(customer_id=customer.pk, amount=Decimal(250), key="test:hold")
    attempt = {"code": "card_declined", "message": "Your card was declined.", "at": now.isoformat()}
    states: dict[str, Payment] = {
        "credited": paid,
        "open": make_payment(customer, failed_attempts={"ch_1": attempt}),
        "processing": make_payment(customer, completed_at=now),
        "failed": make_payment(customer, completed_at=now, failed_at=now, failed_attempts={"ch_2": attempt}),
        "expired": make_payment(customer, expired_at=now),
        # The widest name there can be: what is told with it must not be wider than a telephone.
        "review": make_payment(customer, public_id="pay_" + "m" * 20, mismatch="Paid for $9.00, offered for $10.00."),
    }
    for event in (NoticeEvent.PAYMENT_DISPUTED, NoticeEvent.PAYMENT_FAILED, NoticeEvent.TOP_UP_TURNED_OFF):
        say(customer, event)
    unsubscribe = unsubscribe_url(customer=customer.public_id, event=NoticeEvent.BALANCE_LOW)
    return {"unsubscribe": urlsplit(unsubscribe).path} | {
        f"return-{state}": f"/billing/checkout/return/?session_id={payment.checkout_session_id}"
        for state, payment in states.items()
    }


def fill_usage(customer: BillingCustomer) -> None:
    """Calls of two models by two keys over four weeks, failed ones, direct debits, and keys in each state."""
    user = customer.user
    assert user is not None
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=29), tick=True):
        add_entry(customer, "1000")
    for model in ("gpt-5-mini", "claude-sonnet-5-a-rather-long-name-2026-11-20"):
        make_price(model, input_usd_per_1k="0.2", cached_input_usd_per_1k="0.02", output_usd_per_1k="0.3")
    server = issue_key(user=user, name="Production server", scopes=["read", "spend"], monthly_limit=Decimal(100)).key
    laptop = issue_key(user=user, name="Laptop", scopes=["spend"], expires_at=now + timedelta(days=60)).key
    for number in reversed(range(28)):
        with time_machine.travel(now - timedelta(days=number, minutes=number), tick=True):
            call(user, key=server if number % 3 else laptop, model="gpt-5-mini", cached=4, output=5 + number % 7)
            if number % 5 == 0:
                call(user, model="claude-sonnet-5-a-rather-long-name-2026-11-20", output=20)
    direct_debit(user, "12.5", key=server, description="Image 1024 × 1024")
    failed_call(user, key=server, model="gpt-5-mini", failure="The provider took longer than 60 seconds.")
    rotate_key(key=laptop, now=now, actor=user)
    revoke_key(key=issue_key(user=user, name="Old laptop", scopes=["read"]).key, now=now)


def usage_pages(customer: BillingCustomer) -> dict[str, str]:
    """The pages of one call, of a direct debit, and of keys."""
    charged = UsageEvent.objects.filter(customer=customer, entry__isnull=False).latest("pk")
    debit = customer.entries.get(source_type="caller")
    key = ApiKey.objects.get(name="Production server")
    return {
        "usage-call": f"/billing/usage/calls/{charged.public_id}/",
        "usage-debit": f"/billing/usage/entries/{debit.sequence}/",
        "api-key-rotate": f"/accounts/api-keys/{key.key_id}/rotate/",
        "api-key-revoke": f"/accounts/api-keys/{key.key_id}/revoke/",
        "api-key-new": "/accounts/api-keys/new/",
    }


def log_in(page: Any) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill("grace@example.com")
    page.get_by_label("Password").fill("a-password-for-grace")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/billing/")


def prove_who_you_are(page: Any) -> None:
    """Give the password that is asked for before keys are made."""
    page.goto("/accounts/reauthenticate/")
    page.locator("input[type=password]").fill("a-password-for-grace")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/billing/")


def look_at(page: Any, addresses: dict[str, str], *, keep: Keep) -> None:
    """Check each page for barriers and for its width, and keep its picture; the faults of all are told together."""
    faults: list[str] = []
    for name, address in addresses.items():
        if address:  # an empty one stands for the page that is there
            page.goto(address)
        for violation in Axe().run(page).response["violations"]:
            targets = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
            faults.append(f"{name}: {violation['id']} ({violation['help']}): {targets[:4]}")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if beyond > 0:
                faults.append(f"{name}: {beyond} px wider than a window of {width}")
            if width != WIDTHS[0]:
                keep(page, f"{name}-{width}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_for_strangers_have_no_barriers(theme: str, open_page: Callable[..., Any], keep: Keep) -> None:
    look_at(open_page(color_scheme=theme), PUBLIC, keep=keep)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_empty_pages_have_no_barriers(
    theme: str, open_page: Callable[..., Any], customer: BillingCustomer, keep: Keep
) -> None:
    page = open_page(color_scheme=theme)
    log_in(page)

    look_at(page, OWN, keep=keep)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_full_pages_have_no_barriers(
    theme: str, open_page: Callable[..., Any], customer: BillingCustomer, keep: Keep
) -> None:
    returned = fill(customer)
    page = open_page(color_scheme=theme)
    log_in(page)

    prove_who_you_are(page)

    look_at(page, {**OWN, **returned, **usage_pages(customer)}, keep=keep)


def test_large_numbers_and_long_words_stay_in_the_window(
    open_page: Callable[..., Any], customer: BillingCustomer, keep: Keep
) -> None:
    now = timezone.now()
    name = "One hundred thousand credits for a large team, with support"
    large: dict[str, Any] = {"credits": Decimal("1234567890.123456"), "description": name, "currency": "jpy"}
    CreditPack.objects.create(slug="large", name=name, credits=large["credits"], price_minor=123456789, currency="jpy")
    add_entry(customer, "1234567890.123456", description="Agreed by contract")
    add_entry(customer, "-1234567.000412", kind=EntryKind.USAGE, description="unbroken_" * 12)
    place_hold(customer_id=customer.pk, amount=Decimal("98765432.123456"), key="test:hold")
    received = {"paid_at": now, "paid_amount_minor": 123456789, "paid_currency": "jpy", "posting_count": 1}
    paid = make_payment(customer, **large, amount_minor=123456789, **received)
    make_invoice(customer, "PREPAID-2026-000000123", payment=paid, currency="jpy", total_minor=123456789)
    page = open_page()
    log_in(page)

    look_at(page, {**MONEY, "order": "/billing/buy/large/"}, keep=keep)


def test_navigation_takes_two_lines_of_a_telephone(open_page: Callable[..., Any], customer: BillingCustomer) -> None:
    page = open_page(viewport={"width": 375, "height": 800})
    log_in(page)

    lines = {link.bounding_box()["y"] for link in page.locator(".site-nav a").all()}

    assert len(lines) == 2


def test_a_refused_amount_is_said_once_beside_the_focus(
    open_page: Callable[..., Any], customer: BillingCustomer
) -> None:
    page = open_page()
    log_in(page)
    page.goto("/billing/buy/custom/?amount=4")

    field, refusal = page.get_by_label("Amount in US dollars"), page.get_by_text("Choose between $5 and $500.")
    assert field.evaluate("it => it === document.activeElement")
    assert refusal.count() == 1

    field.fill("25")

    assert refusal.count() == 0
    assert "25,000 credits" in page.locator("[data-preview]").inner_text()


def test_a_box_and_its_label_stay_together_in_columns(open_page: Callable[..., Any], customer: BillingCustomer) -> None:
    page = open_page()
    log_in(page)
    page.goto("/billing/webhooks/new/")

    choices = [label.bounding_box() for label in page.locator("#id_events label").all()]

    assert len({choice["x"] for choice in choices}) == 2
    assert {choice["height"] for choice in choices} == {choices[0]["height"]}


def test_a_printed_ledger_is_light_and_says_whose_it_is(
    open_page: Callable[..., Any], customer: BillingCustomer, keep: Keep
) -> None:
    add_entry(customer, "500", description="For the paper")
    page = open_page(color_scheme="dark")
    log_in(page)
    page.goto("/billing/ledger/")
    owner = page.locator("main").get_by_text("grace@example.com")
    assert owner.is_hidden()

    page.emulate_media(media="print", color_scheme="dark")

    keep(page, "printed")
    assert owner.is_visible()
    assert page.get_by_text("For the paper").is_visible()
    assert page.locator("body").evaluate("it => getComputedStyle(it).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("h1").evaluate("it => getComputedStyle(it).color") == "rgb(23, 33, 29)"
    for clicked in (page.locator(".site-header"), page.get_by_role("button", name="Show"), page.get_by_label("Type")):
        assert clicked.is_hidden()


def test_a_printed_ledger_keeps_its_filter(open_page: Callable[..., Any], customer: BillingCustomer) -> None:
    page = open_page()
    log_in(page)
    page.goto("/billing/ledger/?kind=usage")

    page.emulate_media(media="print")

    assert page.get_by_label("Type").is_visible()


def test_buttons_beside_a_heading_stand_in_one_line(open_page: Callable[..., Any], customer: BillingCustomer) -> None:
    page = open_page()
    log_in(page)
    page.goto("/billing/payments/")

    buttons = [button.bounding_box() for button in page.locator(".page-head .button").all()]

    assert [box["y"] for box in buttons] == [buttons[0]["y"]] * 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_checkout_has_no_barriers(
    theme: str, open_page: Callable[..., Any], customer: BillingCustomer, keep: Keep
) -> None:
    page = open_page(color_scheme=theme)
    log_in(page)
    page.goto("/billing/buy/standard/")
    payment_form(page)

    look_at(page, {"checkout": ""}, keep=keep)


def test_menu_closes_on_escape_and_gives_the_focus_back(
    open_page: Callable[..., Any], customer: BillingCustomer
) -> None:
    page = open_page()
    log_in(page)
    page.get_by_label("Account menu").click()
    assert page.get_by_role("button", name="Sign out").is_visible()

    page.keyboard.press("Escape")

    assert page.get_by_role("button", name="Sign out").is_hidden()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_times_are_said_in_the_readers_zone(open_page: Callable[..., Any], customer: BillingCustomer) -> None:
    add_entry(customer, "1", occurred_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC))
    page = open_page(timezone_id="Asia/Tokyo")
    log_in(page)

    shown = page.locator("td.when time").first

    assert "Nov 21, 2026, 8:30" in shown.inner_text()
    assert shown.get_attribute("title") == "20 Nov 2026, 23:30 UTC"
