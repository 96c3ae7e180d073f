"""The form that opens a checkout: for a script, for a person without scripts, and for neither."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditPack, Payment
from billing.tests.shop import make_pack
from billing.views.checkout import hash_address
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]
KEY = "form-key-0001"
JSON = {"Accept": "application/json"}


def send(browser: Client, slug: str, *, headers: dict[str, str] | None = None, **fields: str) -> Any:
    headers = JSON if headers is None else headers
    return browser.post(f"/billing/buy/{slug}/", {"form_key": KEY, **fields}, headers=headers)


def test_script_gets_the_session_and_its_secret(
    browser: Client, pack: CreditPack, stripe_sandbox: SandboxServer
) -> None:
    response = send(browser, pack.slug)

    payment = Payment.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "id": payment.checkout_session_id,
        "object": "checkout_session",
        "payment": payment.public_id,
        "client_secret": response.json()["client_secret"],
        "url": None,
    }
    session = stripe_sandbox.control.get_object(response.json()["id"])
    assert session is not None
    assert session["return_url"].endswith("/billing/checkout/return/?session_id={CHECKOUT_SESSION_ID}")
    assert session["client_secret"] == response.json()["client_secret"]


def test_double_click_gets_the_same_session(browser: Client, pack: CreditPack) -> None:
    assert send(browser, pack.slug).json() == send(browser, pack.slug).json()
    assert Payment.objects.count() == 1


def test_person_without_scripts_is_sent_to_stripes_page(
    browser: Client, pack: CreditPack, stripe_sandbox: SandboxServer
) -> None:
    send(browser, pack.slug)

    response = send(browser, pack.slug, headers={"Accept": "text/html"}, ui_mode="hosted")  # the same form

    assert response.status_code == 303
    assert response["Location"].startswith(stripe_sandbox.base_url)
    assert urlsplit(response["Location"]).path.startswith("/c/pay/")


def test_custom_amount_is_dollars(browser: Client) -> None:
    assert send(browser, "custom", amount="$12.50").status_code == 200

    assert Payment.objects.get().amount_minor == 1250


@pytest.mark.parametrize("amount", ["", "ten", "4.99", "500.01", "5.001", "-5", "NaN", "Infinity", "1e9", "5e400"])
def test_amount_that_cannot_be_paid_is_refused_by_name(browser: Client, amount: str) -> None:
    response = send(browser, "custom", amount=amount)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["field"] == "amount"
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"form_key": ""}, "form_key"), ({"form_key": "a b"}, "form_key"), ({"ui_mode": "x"}, "ui_mode")],
)
def test_malformed_field_is_refused_by_name(
    browser: Client, pack: CreditPack, fields: dict[str, Any], field: str
) -> None:
    response = send(browser, pack.slug, **fields)

    assert (response.status_code, response.json()["field"]) == (400, field)


def test_price_sent_by_the_browser_means_nothing(browser: Client, pack: CreditPack) -> None:
    send(browser, pack.slug, amount="5", price="1", credits="999999", currency="jpy")

    payment = Payment.objects.get()
    assert (payment.amount_minor, payment.credits, payment.currency) == (1000, 10_000, "usd")


def test_sixth_in_a_minute_is_told_when_to_come_back(browser: Client, pack: CreditPack) -> None:
    for number in range(5):
        assert send(browser, pack.slug, form_key=f"form-key-{number}").status_code == 200

    for_script = send(browser, pack.slug, form_key="form-key-6")
    for_person = send(browser, pack.slug, form_key="form-key-7", headers={"Accept": "text/html"}, ui_mode="hosted")

    for response in (for_script, for_person):
        assert response.status_code == 429
        assert 1 <= int(response["Retry-After"]) <= 60
    assert for_script.json()["code"] == "checkout_rate_limited"
    assert "text/html" in for_person["Content-Type"]


def test_limit_holds_for_an_address_over_all_accounts(pack: CreditPack) -> None:
    from billing.tests.shop import make_customer

    statuses = []
    for _ in range(6):
        client = Client()
        user = make_customer().user
        assert user is not None
        client.force_login(user)
        statuses.append(send(client, pack.slug).status_code)

    assert statuses == [200] * 5 + [429]


def test_form_without_its_csrf_token_is_refused(customer: BillingCustomer, pack: CreditPack) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert customer.user is not None
    strict.force_login(customer.user)
    path = f"/billing/buy/{pack.slug}/"

    assert strict.post(path, {"form_key": KEY}).status_code == 403
    assert not Payment.objects.exists()

    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', strict.get(path).content.decode())
    assert token is not None
    assert strict.post(path, {"form_key": KEY, "csrfmiddlewaretoken": token[1]}, headers=JSON).status_code == 200


def test_stranger_is_sent_to_log_in(pack: CreditPack) -> None:
    response = send(Client(), pack.slug)

    assert response.status_code == 302
    assert "/accounts/login/" in response["Location"]
    assert not Payment.objects.exists()


def test_pack_that_is_not_for_sale_is_gone(browser: Client) -> None:
    retired = make_pack(is_active=False)

    assert send(browser, retired.slug).status_code == 410
    assert send(browser, "unknown").status_code == 410


def test_stripe_that_is_down_is_said_so_and_the_form_works_later(
    browser: Client, pack: CreditPack, settings: Settings, stripe_sandbox: SandboxServer
) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    assert send(browser, pack.slug).status_code == 503

    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    assert send(browser, pack.slug).status_code == 200
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("accepted", ["text/html", "application/json"])
def test_what_stripe_says_of_our_account_and_network_is_not_for_buyers(
    browser: Client, settings: Settings, stripe_sandbox: SandboxServer, accepted: str
) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    unreachable = send(browser, make_pack().slug, headers={"Accept": accepted}).content.decode()
    settings.STRIPE_API_BASE = stripe_sandbox.base_url
    lost = make_pack(stripe_price_id="price_lost")
    refused = send(browser, lost.slug, headers={"Accept": accepted}, form_key="form-key-0002").content.decode()

    assert "Stripe cannot be used right now" in unreachable
    assert "Stripe would not open this checkout" in refused
    for inner in ("127.0.0.1", "HTTPConnection", "support@stripe.com", "price_lost"):
        assert inner not in unreachable + refused


def test_addresses_of_one_ipv6_household_count_as_one(gateway: StripeGateway) -> None:
    def hash_of(address: str) -> str:
        return hash_address(RequestFactory().get("/", REMOTE_ADDR=address))

    assert hash_of("2001:db8:0:1::1") == hash_of("2001:db8:0:1:ffff::2")
    assert hash_of("2001:db8:0:1::1") != hash_of("2001:db8:0:2::1")
    assert hash_of("203.0.113.7") != hash_of("203.0.113.8")
