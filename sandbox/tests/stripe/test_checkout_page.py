"""The checkout page, as a browser without scripts sees it."""

from typing import Any

import pytest

from sandbox.tests.stripe.shop import Shop


def test_page_shows_pack_amount_and_address(shop: Shop) -> None:
    session = shop.open_session(customer_email="ada@example.com", cancel_url="http://shop.test/cancelled")

    page = shop.browse(session.url or "")

    assert page.status == 200
    for text in ("10,000 credits", "$10.00", "4242424242424242", "Bank debit"):
        assert text in page.text
    assert 'value="ada@example.com"' in page.html
    assert 'href="http://shop.test/cancelled"' in page.html


def test_page_has_a_strict_policy_and_no_inline_code(shop: Shop) -> None:
    page = shop.browse(shop.open_session().url or "")

    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "<style" not in page.html
    assert " style=" not in page.html
    assert page.html.count("<script") == page.html.count('<script src="/assets/')


def test_paying_leads_back_to_the_shop(shop: Shop) -> None:
    session = shop.open_session()

    page = shop.pay_on_page(session)

    assert (page.status, page.headers["Location"]) == (303, f"http://shop.test/done?s={session.id}")
    assert shop.read_session(session.id).payment_status == "paid"
    assert "Payment complete" in shop.browse(session.url or "").text


def test_decline_is_shown_and_can_be_mended(shop: Shop) -> None:
    session = shop.open_session()

    declined = shop.pay_on_page(session, number="4000 0000 0000 9995")
    paid = shop.pay_on_page(session)

    assert declined.status == 422
    assert 'role="alert"' in declined.html
    assert "Your card has insufficient funds." in declined.text
    assert paid.status == 303


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"number": "4242 4242 4242 4241"}, "number", "Your card number is invalid."),
        ({"number": "5555 5555 5555 4444"}, "number", "test cards only"),
        ({"number": ""}, "number", "Enter your card number."),
        ({"expiry": "01 / 20"}, "expiry", "in the past"),
        ({"expiry": "13 / 34"}, "expiry", "MM / YY"),
        ({"cvc": "12"}, "cvc", "3 or 4 digits"),
        ({"email": "nobody"}, "email", "Enter your e-mail address."),
        ({"method": "bank_debit", "account": "1"}, "account", "test account numbers"),
    ],
)
def test_each_wrong_field_is_named_beside_it(shop: Shop, typed: dict[str, str], field: str, message: str) -> None:
    session = shop.open_session()

    page = shop.pay_on_page(session, **typed)

    assert page.status == 422
    assert f'aria-describedby="{field}-error"' in page.html
    assert f'id="{field}-error"' in page.html
    assert message in page.text
    assert shop.read_session(session.id).payment_intent is None


@pytest.mark.parametrize(("action", "status"), [("authorize", 303), ("fail_authentication", 422)])
def test_three_d_secure_step(shop: Shop, action: str, status: int) -> None:
    session = shop.open_session()

    asked = shop.pay_on_page(session, number="4000 0025 0000 3155")
    ended = shop.pay_on_page(session, action=action)

    assert "3-D Secure" in asked.text
    assert ended.status == status


def test_bank_debit_by_page(shop: Shop) -> None:
    session = shop.open_session()

    page = shop.pay_on_page(session, method="bank_debit", account="000111111113")

    assert page.status == 303
    assert shop.read_session(session.id).payment_status == "unpaid"
    assert "Payment under way" in shop.browse(session.url or "").text


def test_free_code_by_page(shop: Shop) -> None:
    session = shop.open_session(allow_promotion_codes=True)

    wrong = shop.pay_on_page(session, action="apply_code", code="NOTHING")
    right = shop.pay_on_page(session, action="apply_code", code="free100")
    done = shop.pay_on_page(session)

    assert "This code is invalid." in wrong.text
    assert "$0.00" in right.text
    assert done.status == 303
    assert shop.read_session(session.id).payment_status == "no_payment_required"


def test_code_is_not_offered_where_none_is_taken(shop: Shop) -> None:
    assert "Promotion code" not in shop.browse(shop.open_session().url or "").text


def test_form_of_another_site_does_nothing(shop: Shop) -> None:
    session = shop.open_session()

    page = shop.pay_on_page(session, token="guessed")

    assert page.status == 422
    assert shop.read_session(session.id).status == "open"


def test_expired_session_says_so(shop: Shop) -> None:
    session = shop.open_session()
    address = session.url or ""
    shop.control.expire_session(session.id)

    assert "has expired" in shop.browse(address).text


def test_embedded_page_needs_its_client_secret(shop: Shop) -> None:
    session = shop.open_embedded()
    address = f"{shop.server.base_url}/c/pay/{session.id}"

    assert shop.browse(address).status == 404
    assert shop.browse(f"{address}?client_secret={session.id}_secret_guessed").status == 404
    opened = shop.browse(f"{address}?client_secret={session.client_secret}&host_origin=http://shop.test")
    assert opened.status == 200
    assert "frame-ancestors" not in opened.headers["Content-Security-Policy"]


def test_unknown_session_is_not_found(shop: Shop) -> None:
    assert shop.browse(f"{shop.server.base_url}/c/pay/cs_test_none").status == 404


def test_stripe_js_is_served_as_a_script(shop: Shop) -> None:
    script = shop.browse(f"{shop.server.base_url}/stripe.js")

    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "createEmbeddedCheckoutPage" in script.html
    assert shop.browse(f"{shop.server.base_url}/assets/none.css").status == 404


TAXED: dict[str, Any] = {"automatic_tax": {"enabled": True}, "billing_address_collection": "required"}


def test_page_asks_for_the_country_where_tax_is_computed(shop: Shop) -> None:
    session = shop.open_session(**TAXED)

    computed = shop.pay_on_page(session, action="set_location", country="FR")
    paid = shop.pay_on_page(session, country="FR")

    assert "enter your country" in shop.browse(shop.open_session(**TAXED).url or "").text
    assert computed.status == 200
    assert "$12.00" in computed.text
    assert paid.status == 303
    assert shop.read_session(session.id).amount_total == 1200


def test_nobody_pays_a_tax_that_they_have_not_seen(shop: Shop) -> None:
    session = shop.open_session(**TAXED)

    surprised = shop.pay_on_page(session, country="FR")
    paid = shop.pay_on_page(session, country="FR")

    assert surprised.status == 422
    assert "With tax, $12.00 is due." in surprised.text
    assert paid.status == 303


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"country": ""}, "Choose your country."),
        ({"country": "XX"}, "Choose your country."),
        ({"country": "FR", "tax_id": "FR1"}, "This is no number of that country."),
        ({"country": "BR", "tax_id": "123"}, "Numbers of Brazil are not taken here"),
    ],
)
def test_wrong_places_and_numbers_are_told(shop: Shop, typed: dict[str, str], message: str) -> None:
    session = shop.open_session(tax_id_collection={"enabled": True}, **TAXED)

    page = shop.pay_on_page(session, **typed)

    assert page.status == 422
    assert message in page.text
    assert shop.read_session(session.id).status == "open"


def test_business_gives_its_number_and_its_name(shop: Shop) -> None:
    customer = shop.client.v1.customers.create({"email": "ada@example.com"}).id
    session = shop.open_session(
        customer=customer,
        tax_id_collection={"enabled": True},
        customer_update={"address": "auto", "name": "auto"},
        **TAXED,
    )

    shop.pay_on_page(session, country="AT", tax_id="atu 12345678", city="Wien", name="Ada GmbH")

    read = shop.client.v1.customers.retrieve(customer, {"expand": ["tax_ids"]})
    assert read.tax_ids
    assert read.address
    assert [known.value for known in read.tax_ids.data] == ["ATU12345678"]
    assert (read.name, read.address.city, read.address.country) == ("Ada GmbH", "Wien", "AT")
    assert shop.read_session(session.id).amount_total == 1000


def test_address_alone_is_asked_for_without_tax(shop: Shop) -> None:
    session = shop.open_session(billing_address_collection="required")

    page = shop.browse(session.url or "")
    paid = shop.pay_on_page(session, country="FR")

    assert 'name="country"' in page.html
    assert "Compute the tax" not in page.html
    assert paid.status == 303
    details = shop.read_session(session.id).customer_details
    assert details
    assert details.address
    assert (details.address.country, shop.read_session(session.id).amount_total) == ("FR", 1000)
