"""The page of billing details, and who is led to it."""

import pytest
from django.test import Client
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack
from billing.services.stripe_customers import ensure_stripe_customer
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)
PAGE, PART = "/billing/details/", "/billing/details/on-file/"
ADA = {
    "name": "Ada GmbH",
    "email": "books@example.com",
    "country": "AT",
    "line1": "Ring 1",
    "postal_code": "1010",
    "city": "Wien",
    "tax_number": "ATU12345678",
}
HINT = "before you buy: an invoice cannot be changed later."


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    """All tests come from one network in one minute."""
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 0


def test_saved_details_are_shown_again(browser: Client, customer: BillingCustomer, gateway: StripeGateway) -> None:
    assert customer.user is not None
    assert f'value="{customer.user.email}"' in browser.get(PAGE).content.decode()

    answer = browser.post(PAGE, ADA, follow=True)

    assert "Saved. Invoices from now on are made out so." in answer.content.decode()
    assert PART in answer.content.decode()
    page, part = browser.get(PAGE).content.decode(), browser.get(PART).content.decode()
    assert '<option value="AT" selected>' in page
    for value in ("Ada GmbH", "ATU12345678", "Ring 1", "books@example.com"):
        assert value in page
        assert value in part


@pytest.mark.parametrize("path", ["/billing/buy/", "/billing/plans/", "/billing/invoices/"])
def test_pages_lead_to_the_details_until_they_are_there(
    browser: Client, gateway: StripeGateway, pack: CreditPack, path: str
) -> None:
    before = browser.get(path).content.decode()
    browser.post(PAGE, ADA)
    after = browser.get(path).content.decode()

    assert HINT in before
    assert PAGE in before
    assert HINT not in after


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"email": "nobody"}, "Enter a valid email address."),
        ({"country": "XX"}, "Select a valid choice."),
        ({"line1": "a\u200bb"}, "Write it in one line of plain text."),
        ({"tax_number": "nonsense"}, "They look like ATU12345678."),
        ({"country": "BO"}, "We cannot take numbers of Bolivia here."),
    ],
)
def test_what_cannot_be_used_is_said_at_its_field(
    browser: Client, gateway: StripeGateway, change: dict[str, str], words: str
) -> None:
    answer = browser.post(PAGE, {**ADA, **change})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert words in page
    [field] = change if "country" not in change or change["country"] == "XX" else ["tax_number"]
    assert f'id="id_{field}_error"' in page
    assert 'value="Wien"' in page


def test_silence_of_stripe_loses_nothing(
    browser: Client, customer: BillingCustomer, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    ensure_stripe_customer(customer=customer, gateway=gateway)
    stripe_sandbox.control.fail_reads(percent=100)

    page, part, saved = browser.get(PAGE), browser.get(PART), browser.post(PAGE, ADA)

    assert page.status_code == 503
    assert "Nothing is lost" in page.content.decode()
    assert "<input" not in page.content.decode().partition("<main")[2].partition("</main>")[0]
    assert "Stripe does not answer right now" in part.content.decode()
    assert saved.status_code == 503
    assert "What you typed is still here" in saved.content.decode()
    assert 'value="Ada GmbH"' in saved.content.decode()


def test_saving_is_limited_by_the_minute(browser: Client, gateway: StripeGateway, settings: Settings) -> None:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 2

    statuses = [browser.post(PAGE, ADA, REMOTE_ADDR="203.0.113.9").status_code for _ in range(4)]

    assert 429 in statuses
    assert statuses[:1] == [302]


def test_settings_do_not_ask_stripe(browser: Client, gateway: StripeGateway, stripe_sandbox: SandboxServer) -> None:
    stripe_sandbox.control.fail_reads(percent=100)

    page = browser.get("/billing/settings/")

    assert page.status_code == 200
    assert "Nothing is on file." in page.content.decode()
