"""The shop and the checkout page: what is offered, what it makes of the balance, and what a refusal says."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.kinds import EntryKind
from billing.models import BillingCustomer, Payment
from billing.tests.shop import make_customer, make_pack
from billing.tests.views.rows import add_entry, make_payment
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
KEY = "a-key-of-this-form"


def test_packs_show_price_bonus_expiry_and_the_balance_after(browser: Client, customer: BillingCustomer) -> None:
    make_pack(name="Bulk", credits=Decimal(90_000), bonus_credits=Decimal(10_000), price_minor=9000, lifetime_days=365)
    add_entry(customer, "500")

    page = browser.get("/billing/buy/").content.decode()

    assert "100,000" in page
    assert "10,000 bonus included" in page
    assert "$90.00" in page
    assert "$0.90 per 1,000" in page
    assert "Valid for 365 days" in page
    assert "After purchase you will have 100,500" in page


def test_debt_is_repaid_first(browser: Client, customer: BillingCustomer) -> None:
    make_pack()
    add_entry(customer, "-420", kind=EntryKind.REFUND, payment_id=make_payment(customer).pk)

    page = browser.get("/billing/buy/").content.decode()

    assert "Of these, 420 repay your debt" in page
    assert "After purchase you will have 10,080" in page


def test_shop_without_packs_still_sells_an_amount(browser: Client) -> None:
    page = browser.get("/billing/buy/").content.decode()

    assert "No packs for sale" in page
    assert "Another amount" in page


def test_nothing_is_sold_while_billing_is_off(browser: Client, settings: Settings) -> None:
    settings.STRIPE_BILLING_ENABLED = False
    pack = make_pack()

    page = browser.get("/billing/buy/").content.decode()

    assert "Nothing can be bought at the moment." in page
    assert pack.slug not in page
    assert browser.get(f"/billing/buy/{pack.slug}/").status_code == 410


def test_pack_that_is_gone_says_so_kindly(browser: Client) -> None:
    pack = make_pack(is_active=False)

    response = browser.get(f"/billing/buy/{pack.slug}/")

    assert response.status_code == 410
    assert "This pack is no longer for sale" in response.content.decode()
    assert "Nothing was charged." in response.content.decode()


def test_each_showing_of_the_checkout_has_a_key_of_its_own(browser: Client) -> None:
    path = f"/billing/buy/{make_pack().slug}/"

    keys = {browser.get(path).context["form_key"] for _ in range(3)}

    assert len(keys) == 3


def test_open_payment_is_taken_up_with_its_own_key(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, form_key=f"{KEY}:embedded_page")

    response = browser.get(f"/billing/buy/custom/?amount=10.00&payment={payment.public_id}")

    assert response.context["form_key"] == KEY


@pytest.mark.parametrize("facts", [{"expired_at": timezone.now()}, {"completed_at": timezone.now()}])
def test_payment_that_is_over_is_not_taken_up(
    browser: Client, customer: BillingCustomer, facts: dict[str, object]
) -> None:
    payment = make_payment(customer, form_key=f"{KEY}:embedded_page", **facts)

    response = browser.get(f"/billing/buy/custom/?amount=10.00&payment={payment.public_id}")

    assert response.context["form_key"] != KEY


def test_old_payment_is_not_taken_up(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, form_key=f"{KEY}:embedded_page")
    Payment.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=1))

    response = browser.get(f"/billing/buy/custom/?amount=10.00&payment={payment.public_id}")

    assert response.context["form_key"] != KEY


def test_payment_of_somebody_else_is_not_taken_up(browser: Client) -> None:
    payment = make_payment(make_customer(), form_key=f"{KEY}:embedded_page")

    response = browser.get(f"/billing/buy/custom/?amount=10.00&payment={payment.public_id}")

    assert response.context["form_key"] != KEY


@pytest.mark.parametrize("amount", ["5", "5.00", "500", "25.50"])
def test_amounts_within_the_limits_reach_the_checkout(browser: Client, amount: str) -> None:
    response = browser.get("/billing/buy/custom/", {"amount": amount})

    assert response.status_code == 200
    assert response.context["order"].credits == Decimal(amount) * 1000


@pytest.mark.parametrize("amount", ["", "4.99", "500.01", "-5", "0", "5.001", "ten", "NaN", "1e2000", "9" * 40])
def test_other_amounts_go_back_to_the_shop_with_the_reason(browser: Client, amount: str) -> None:
    response = browser.get("/billing/buy/custom/", {"amount": amount})

    assert response.status_code == 400
    assert 'class="errorlist"' in response.content.decode()


def test_checkout_page_alone_opens_the_policy_for_stripe(browser: Client) -> None:
    pack = make_pack()

    checkout = browser.get(f"/billing/buy/{pack.slug}/")["Content-Security-Policy"]
    shop = browser.get("/billing/buy/")["Content-Security-Policy"]

    assert "frame-src" in checkout
    assert "stripe" in checkout
    assert "stripe" not in shop
    for policy in (checkout, shop):
        assert "unsafe" not in policy


def test_checkout_has_a_way_without_scripts(browser: Client) -> None:
    pack = make_pack()

    page = browser.get(f"/billing/buy/{pack.slug}/").content.decode()

    assert "<noscript>" in page
    assert 'name="ui_mode" value="hosted"' in page.replace("\n", " ").replace("  ", "")
    assert f'action="/billing/buy/{pack.slug}/"' in page


def test_form_opens_one_checkout_however_often_it_is_sent(browser: Client, gateway: StripeGateway) -> None:
    path = f"/billing/buy/{make_pack().slug}/"

    answers = [browser.post(path, {"form_key": KEY, "ui_mode": "embedded"}).json() for _ in range(2)]

    assert answers[0]["client_secret"] == answers[1]["client_secret"]
    assert Payment.objects.count() == 1


def test_hosted_form_is_sent_on_to_stripes_page(
    browser: Client, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    response = browser.post(f"/billing/buy/{make_pack().slug}/", {"form_key": KEY, "ui_mode": "hosted"})

    assert response.status_code == 303
    assert response["Location"].startswith(stripe_sandbox.base_url)


def test_too_many_checkouts_say_when_to_come_back(browser: Client, gateway: StripeGateway, settings: Settings) -> None:
    settings.CHECKOUT_SESSIONS_PER_MINUTE = 1
    path = f"/billing/buy/{make_pack().slug}/"
    browser.post(path, {"form_key": "the-first-form", "ui_mode": "hosted"})

    page = browser.post(path, {"form_key": "the-second-form", "ui_mode": "hosted"})
    problem = browser.post(path, {"form_key": "the-third-form"}, headers={"Accept": "application/json"})

    assert page.status_code == problem.status_code == 429
    assert 1 <= int(problem["Retry-After"]) <= 60
    assert page.content.decode().count("othing was charged") == 1
    assert "nothing was charged" in problem.json()["detail"]


def test_stripe_out_of_reach_is_said_kindly(browser: Client, settings: Settings) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    response = browser.post(f"/billing/buy/{make_pack().slug}/", {"form_key": KEY, "ui_mode": "hosted"})

    assert response.status_code == 503
    assert "Stripe cannot be reached" in response.content.decode()
    assert "Nothing was charged." in response.content.decode()
