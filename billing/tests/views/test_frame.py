"""What all pages share: the header's balance, the strict policy, one heading, error pages."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.models import BillingCustomer
from billing.tests.shop import make_pack
from billing.tests.views.rows import add_entry, make_payment

PAGES = [
    "/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/confirm-email/",
]
OWN_PAGES = [
    "/billing/",
    "/billing/buy/",
    "/billing/buy/standard/",
    "/billing/buy/custom/?amount=25",
    "/billing/payments/",
    "/billing/ledger/",
    "/billing/usage/",
    "/usage/summaries/",
    "/billing/checkout/cancelled/",
    "/accounts/api-keys/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/webauthn/",
    "/accounts/sessions/",
    "/accounts/logout/",
    "/no-such-page/",
]
TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


def check_frame(page: str) -> None:
    """One heading, a way past the header, nothing inline."""
    assert len(re.findall(r"<h1[ >]", page)) == 1
    assert 'href="#main"' in page
    assert 'id="main"' in page
    assert "<html lang=" in page
    assert not re.search(r"\sstyle=", page)
    assert not re.search(r"\son[a-z]+=", page)
    assert "<style" not in page
    for attributes in re.findall(r"<script([^>]*)>", page):
        assert "src=" in attributes or 'type="application/json"' in attributes
    for address in re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', page):
        assert address.startswith(("/", "data:image/")), f"{address} is not served by us"


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_pages_for_strangers_have_the_frame(path: str, client: Client) -> None:
    check_frame(client.get(path).content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize("path", OWN_PAGES)
def test_pages_for_customers_have_the_frame_and_the_balance(
    path: str, browser: Client, customer: BillingCustomer
) -> None:
    make_pack(slug="standard")
    make_payment(customer)
    add_entry(customer, "500.129999")

    page = browser.get(path).content.decode()

    check_frame(page)
    assert re.search(r'class="balance-chip".*<strong>500\.12</strong>', page, re.DOTALL)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_trust_nothing(template: Path) -> None:
    text = template.read_text()

    assert "|safe" not in text
    assert "autoescape off" not in text
    assert not re.search(r"<script(?![^>]*(src=|application/json))", text)


@pytest.mark.django_db
def test_header_balance_answers_nothing_while_it_has_not_changed(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500")

    same = browser.get("/billing/balance/?shown=500")
    other = browser.get("/billing/balance/?shown=499")

    assert same.status_code == 204
    assert "<strong>500</strong>" in other.content.decode()
    assert "<html" not in other.content.decode()


@pytest.mark.django_db
def test_home_sends_who_is_logged_in_to_the_overview(browser: Client) -> None:
    response = browser.get("/")

    assert response.status_code == 302
    assert response["Location"] == "/billing/"


@pytest.mark.django_db
def test_home_tells_strangers_prices_and_bonus(client: Client) -> None:
    make_pack(name="Standard", price_minor=1000)

    page = client.get("/").content.decode()

    assert "$10.00" in page
    assert "Sign up and get 500 credits" in page
    assert "One dollar is 1,000 credits." in page


@pytest.mark.django_db
def test_home_offers_nothing_where_nothing_is_sold(client: Client, settings: Settings) -> None:
    make_pack(name="Standard")
    settings.STRIPE_BILLING_ENABLED = False

    page = client.get("/").content.decode()

    assert "Packs and prices" not in page
    assert "Sign up to buy" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/billing/", "/billing/payments/", "/billing/ledger/"])
def test_no_button_leads_to_a_shop_that_is_closed(
    path: str, browser: Client, customer: BillingCustomer, settings: Settings
) -> None:
    shop = 'class="button" href="/billing/buy/"'
    make_payment(customer, expired_at=timezone.now())
    open_page = browser.get(path).content.decode()
    settings.STRIPE_BILLING_ENABLED = False

    page = browser.get(path).content.decode()

    assert shop in open_page
    assert shop not in page
    assert "Try again" not in page


@pytest.mark.django_db
def test_home_promises_no_bonus_where_there_is_none(client: Client, settings: Settings) -> None:
    settings.SIGNUP_BONUS_CREDITS = 0

    page = client.get("/").content.decode() + client.get("/accounts/signup/").content.decode()

    assert "get 0 credits" not in page
    assert "You start with" not in page


@pytest.mark.django_db
def test_user_without_a_customer_gets_one_at_the_first_page(client: Client) -> None:
    user = User.objects.create_user("staff@example.com", "correct horse battery")
    client.force_login(user)

    assert client.get("/billing/").status_code == 200
    assert BillingCustomer.objects.filter(user=user).count() == 1


@pytest.mark.django_db
def test_page_for_what_broke_needs_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("A test breaks this page.")

    monkeypatch.setattr("billing.views.home.packs_for_sale", fail)
    client.raise_request_exception = False

    response = client.get("/")

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()
    assert "A test breaks" not in response.content.decode()


@pytest.mark.django_db
def test_page_names_google_only_where_it_is_set_up(client: Client, settings: Settings) -> None:
    plain = client.get("/accounts/login/").content.decode()
    application = {"client_id": "id", "secret": "secret"}
    settings.SOCIALACCOUNT_PROVIDERS = {"google": {"APPS": [application], "SCOPE": ["email"]}}
    with_google = client.get("/accounts/login/").content.decode()

    assert "Google" not in plain
    assert "Continue with Google" in with_google
