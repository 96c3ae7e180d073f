"""The pages of automatic top-up: nothing is on without the words that were shown."""

from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from billing.gateway.client import StripeGateway
from billing.models import AutoTopUp, CreditPack, Payment
from billing.services.customers import ensure_customer
from billing.services.top_ups.consenting import turn_off
from billing.tests.top_ups import DECLINED, Shopper
from sandbox.stripe.server import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
PAGE, CONSENT = "/billing/top-up/", "/billing/top-up/consent/"


@pytest.fixture
def pack(db: None) -> CreditPack:
    return CreditPack.objects.create(
        slug="standard", name="10,000 credits", credits=10_000, bonus_credits=500, price_minor=1000
    )


@pytest.fixture
def shopper(user: User, pack: CreditPack, stripe_sandbox: SandboxServer, gateway: StripeGateway) -> Shopper:
    """The browser's user with a saved card; top-up is off again."""
    shopper = Shopper(sandbox=stripe_sandbox, gateway=gateway, customer=ensure_customer(user=user), pack=pack)
    turn_off(customer_id=shopper.customer.pk)
    return shopper


def terms(**changes: str) -> dict[str, str]:
    return {"pack": "standard", "threshold": "2000", "ceiling": "50", **changes}


def read_digest(browser: Client, **changes: str) -> str:
    page = browser.get(CONSENT, terms(**changes))
    assert page.status_code == 200
    return str(page.context["proposal"].wording.digest)


@pytest.mark.usefixtures("pack", "gateway")
def test_without_a_card_the_page_says_how_to_save_one(browser: Client) -> None:
    page = browser.get(PAGE)

    assert page.status_code == 200
    assert "/billing/buy/standard/?save_card=1" in page.content.decode()
    assert "What I agree" not in page.content.decode()
    refused = browser.get(CONSENT, terms())
    assert refused.status_code == 400
    assert "No card is saved" in refused.content.decode()


def test_consent_shows_the_words_and_stores_exactly_those(browser: Client, shopper: Shopper) -> None:
    page = browser.get(CONSENT, terms())
    words = page.context["proposal"].wording.text
    assert words in page.content.decode()
    for said in ("Visa ending in 4242", "$10.00", "2,000", "10,500", "$50.00"):
        assert said in words
    assert shopper.state == ("off", "customer")

    answer = browser.post(CONSENT, {**terms(), "digest": page.context["proposal"].wording.digest})

    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert shopper.state == ("on", "")
    consent = shopper.top_up.consent
    assert consent is not None
    assert (consent.wording, consent.language) == (words, "en")
    assert (consent.threshold, consent.ceiling_minor, consent.amount_minor) == (Decimal(2000), 5000, 1000)
    assert (consent.currency, consent.credits, consent.bonus_credits) == ("usd", 10_000, 500)
    assert shopper.balance.top_up_below == 2000
    assert "8,500" in browser.get(PAGE).content.decode()


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_other_words_turn_nothing_on(browser: Client, shopper: Shopper, digest: str) -> None:
    answer = browser.post(CONSENT, {**terms(), "digest": digest})

    assert answer.status_code == 409
    assert shopper.state == ("off", "customer")


def test_words_that_were_read_before_a_change_of_price_turn_nothing_on(browser: Client, shopper: Shopper) -> None:
    digest = read_digest(browser)
    CreditPack.objects.update(price_minor=1200)

    answer = browser.post(CONSENT, {**terms(), "digest": digest})

    assert answer.status_code == 409
    assert "$12.00" in answer.content.decode()
    assert shopper.state == ("off", "customer")


def test_words_for_other_terms_turn_nothing_on(browser: Client, shopper: Shopper) -> None:
    digest = read_digest(browser)

    assert browser.post(CONSENT, {**terms(ceiling="500"), "digest": digest}).status_code == 409
    assert browser.post(CONSENT, {**terms(threshold="9000"), "digest": digest}).status_code == 409
    assert shopper.state == ("off", "customer")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": "10000"}, "less than its 10,000 credits"),
        ({"threshold": "0"}, "greater than or equal to 1"),
        ({"threshold": "many"}, "Enter a number"),
        ({"ceiling": "9.99"}, "$10.00 or more"),
        ({"ceiling": ""}, "required"),
        ({"ceiling": "50.555"}, "2 decimal places"),
        ({"pack": "gone"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_chosen_goes_back_to_the_form(
    browser: Client, shopper: Shopper, changes: dict[str, str], said: str
) -> None:
    for answer in (browser.get(CONSENT, terms(**changes)), browser.post(CONSENT, terms(**changes))):
        assert answer.status_code == 400
        assert said in answer.content.decode()
    assert shopper.state == ("off", "customer")


def test_limit_of_a_currency_with_large_numbers_can_be_chosen(browser: Client, shopper: Shopper) -> None:
    CreditPack.objects.filter(pk=shopper.pack.pk).update(currency="vnd", price_minor=2_500_000)

    digest = read_digest(browser, ceiling="5000000")
    browser.post(CONSENT, {**terms(ceiling="5000000"), "digest": digest})

    assert shopper.state == ("on", "")
    consent = shopper.top_up.consent
    assert consent is not None
    assert (consent.amount_minor, consent.ceiling_minor, consent.currency) == (2_500_000, 5_000_000, "vnd")
    assert "2,500,000 VND" in consent.wording
    assert 'value="5000000"' in browser.get(PAGE).content.decode()


def test_turning_off_is_one_click(browser: Client, shopper: Shopper) -> None:
    shopper.consent()

    assert browser.post("/billing/top-up/off/").status_code == 302

    assert shopper.state == ("off", "customer")
    assert shopper.balance.top_up_below is None


def test_card_is_removed(browser: Client, shopper: Shopper) -> None:
    assert browser.post("/billing/top-up/card/remove/").status_code == 302

    assert not shopper.top_up.payment_method_id
    assert "ending in 4242" not in browser.get(PAGE).content.decode()


def test_card_cannot_be_removed_while_stripe_is_away_but_is_not_charged(browser: Client, shopper: Shopper) -> None:
    shopper.consent()
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_methods", times=3)

    answer = browser.post("/billing/top-up/card/remove/", follow=True)

    assert "Stripe cannot be reached" in answer.content.decode()
    assert shopper.state == ("paused", "card_removed")
    assert shopper.balance.top_up_below is None


def test_page_shows_the_last_payments_with_their_reasons(browser: Client, shopper: Shopper) -> None:
    shopper.consent()
    shopper.change_card(DECLINED)
    shopper.spend_down_to(0)
    shopper.run()

    page = browser.get(PAGE).content.decode()

    assert "Your card was declined." in page
    assert "The last try was not long ago." in page


def test_buying_with_a_saved_card_says_so_and_asks_stripe_to_keep_it(
    browser: Client, pack: CreditPack, stripe_sandbox: SandboxServer, gateway: StripeGateway
) -> None:
    page = browser.get("/billing/buy/standard/?save_card=1")
    assert "Your card is saved with Stripe" in page.content.decode()
    form = {"form_key": page.context["form_key"], "ui_mode": "embedded", "save_card": "1"}

    answer = browser.post("/billing/buy/standard/", form, headers={"Accept": "application/json"})

    assert answer.status_code == 200
    payment = Payment.objects.get()
    assert payment.saves_card
    stripe_sandbox.control.pay_session(str(payment.checkout_session_id))
    (intent,) = stripe_sandbox.control.list_objects("payment_intent")
    assert intent["setup_future_usage"] == "off_session"
    other = browser.post("/billing/buy/standard/", {**form, "save_card": ""}, headers={"Accept": "application/json"})
    assert other.status_code == 422


def test_buying_alone_saves_nothing(browser: Client, pack: CreditPack, gateway: StripeGateway) -> None:
    page = browser.get("/billing/buy/standard/")
    form = {"form_key": page.context["form_key"], "ui_mode": "embedded"}

    browser.post("/billing/buy/standard/", form, headers={"Accept": "application/json"})

    assert not Payment.objects.get().saves_card
    assert not AutoTopUp.objects.exists()


def test_a_checkout_that_saves_the_card_is_taken_up_as_one(
    browser: Client, pack: CreditPack, gateway: StripeGateway
) -> None:
    page = browser.get("/billing/buy/standard/?save_card=1")
    form = {"form_key": page.context["form_key"], "ui_mode": "embedded", "save_card": "1"}
    browser.post("/billing/buy/standard/", form, headers={"Accept": "application/json"})

    listed = browser.get("/billing/payments/").content.decode()

    payment = Payment.objects.get()
    address = f"/billing/buy/standard/?payment={payment.public_id}&save_card=1"
    assert address.replace("&", "&amp;") in listed
    again = browser.get(address)
    assert again.context["form_key"] == form["form_key"]
    assert again.context["order"].saves_card


def test_an_open_top_up_is_not_offered_to_be_paid(browser: Client, shopper: Shopper) -> None:
    shopper.consent()
    shopper.spend_down_to(0)
    shopper.sandbox.control.add_fault("error", method="POST", path="/v1/payment_intents", times=3)
    shopper.run()
    assert shopper.attempts[0].state == "pending"

    assert "Continue to pay" not in browser.get("/billing/payments/").content.decode()
    assert "You are not charged twice." in browser.get(PAGE).content.decode()


def test_pages_show_nobody_elses_top_up(browser: Client, shopper: Shopper, client: Client) -> None:
    client.force_login(User.objects.create_user("other@example.com", "correct horse battery"))

    assert "ending in 4242" not in client.get(PAGE).content.decode()
    client.post("/billing/top-up/card/remove/")
    client.post("/billing/top-up/off/")

    assert shopper.top_up.card_last_four == "4242"
