"""The stand-in for Stripe Tax, in checkouts, on receipts, and the tax numbers of customers."""

from typing import Any

import pytest
import stripe

from sandbox.stripe.taxes import Taxpayer, tax_on
from sandbox.tests.stripe.shop import Shop

TAXED: dict[str, Any] = {"automatic_tax": {"enabled": True}, "billing_address_collection": "required"}
KEPT: dict[str, Any] = {"customer_update": {"address": "auto", "name": "auto"}, "tax_id_collection": {"enabled": True}}


@pytest.fixture
def customer(shop: Shop) -> str:
    return shop.client.v1.customers.create({"email": "ada@example.com", "name": "Ada"}).id


@pytest.mark.parametrize(
    ("amount", "country", "behavior", "tax", "added"),
    [
        (1000, "FR", "exclusive", 200, 200),
        (1000, "FR", "unspecified", 200, 200),
        (1200, "FR", "inclusive", 200, 0),
        (1000, "DE", "exclusive", 190, 190),
        (1003, "DE", "exclusive", 191, 191),
        (1002, "SE", "exclusive", 251, 251),  # 250.5
        (-1000, "FR", "exclusive", -200, -200),
        (1000, "US", "exclusive", 0, 0),
        (1000, None, "exclusive", 0, 0),
    ],
)
def test_tax_by_hand(amount: int, country: str | None, behavior: str, tax: int, added: int) -> None:
    found = tax_on(amount, taxpayer=Taxpayer(country), behavior=behavior)

    assert (found.amount, found.added) == (tax, added)


@pytest.mark.parametrize(
    ("taxpayer", "reason"),
    [
        (Taxpayer("FR"), "standard_rated"),
        (Taxpayer("FR", has_tax_id=True), "reverse_charge"),
        (Taxpayer("FR", exempt="exempt"), "customer_exempt"),
        (Taxpayer("FR", exempt="reverse"), "reverse_charge"),
        (Taxpayer("US", has_tax_id=True), "not_collecting"),
    ],
)
def test_reason_of_a_tax(taxpayer: Taxpayer, reason: str) -> None:
    assert tax_on(1000, taxpayer=taxpayer).reason == reason


def test_checkout_adds_the_tax_of_where_the_customer_lives(shop: Shop, customer: str) -> None:
    session = shop.open_session(customer=customer, invoice_creation={"enabled": True}, **TAXED, **KEPT)

    shop.control.pay_session(session.id, country="FR", name="Ada SARL")

    paid = shop.read_session(session.id, "invoice", "payment_intent", "customer", "line_items")
    assert session.automatic_tax.status == "requires_location_inputs"
    assert paid.automatic_tax.status == "complete"
    assert paid.total_details
    assert (paid.amount_subtotal, paid.total_details.amount_tax, paid.amount_total) == (1000, 200, 1200)
    assert paid.line_items
    assert (paid.line_items.data[0].amount_tax, paid.line_items.data[0].amount_total) == (200, 1200)
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert paid.payment_intent.amount_received == 1200
    assert isinstance(paid.customer, stripe.Customer)
    assert paid.customer.address
    assert (paid.customer.name, paid.customer.address.country) == ("Ada SARL", "FR")
    invoice = paid.invoice
    assert isinstance(invoice, stripe.Invoice)
    assert (invoice.subtotal, invoice.total, invoice.total_excluding_tax) == (1000, 1200, 1000)
    assert [(tax.amount, tax.taxability_reason) for tax in invoice.total_taxes or []] == [(200, "standard_rated")]
    assert invoice.customer_address
    assert invoice.customer_address.country == "FR"


def test_number_of_a_business_shifts_the_tax(shop: Shop, customer: str) -> None:
    session = shop.open_session(customer=customer, invoice_creation={"enabled": True}, **TAXED, **KEPT)

    shop.control.pay_session(session.id, country="FR", tax_id="FRAB123456789")

    paid = shop.read_session(session.id, "invoice")
    assert paid.amount_total == 1000
    assert paid.customer_details
    assert [known.value for known in paid.customer_details.tax_ids or []] == ["FRAB123456789"]
    (kept,) = shop.client.v1.customers.tax_ids.list(customer).data
    assert (kept.type, kept.value, kept.country) == ("eu_vat", "FRAB123456789", "FR")
    assert isinstance(paid.invoice, stripe.Invoice)
    assert [tax.taxability_reason for tax in paid.invoice.total_taxes or []] == ["reverse_charge"]
    again = shop.open_session(customer=customer, **TAXED, **KEPT)
    assert again.amount_total == 1000


def test_known_address_is_taxed_at_once(shop: Shop, customer: str) -> None:
    shop.client.v1.customers.update(customer, {"address": {"country": "DE"}})

    session = shop.open_session(customer=customer, automatic_tax={"enabled": True})

    assert session.automatic_tax.status == "complete"
    assert session.amount_total == 1190


def test_code_comes_off_before_the_tax(shop: Shop) -> None:
    session = shop.open_session(allow_promotion_codes=True, **TAXED)

    shop.control.pay_session(session.id, country="FR", code="HALF50")

    paid = shop.read_session(session.id)
    assert paid.total_details
    assert (paid.total_details.amount_discount, paid.total_details.amount_tax, paid.amount_total) == (500, 100, 600)


def test_price_with_tax_included_stays_what_it_is(shop: Shop) -> None:
    price = {"currency": "usd", "unit_amount": 1200, "tax_behavior": "inclusive", "product_data": {"name": "Credits"}}
    session = shop.open_session(line_items=[{"quantity": 1, "price_data": price}], **TAXED)

    shop.control.pay_session(session.id, country="FR")

    paid = shop.read_session(session.id)
    assert paid.total_details
    assert (paid.amount_subtotal, paid.total_details.amount_tax, paid.amount_total) == (1200, 200, 1200)


def test_untaxed_checkout_asks_nobody_where_they_live(shop: Shop) -> None:
    session = shop.open_session()

    shop.control.pay_session(session.id)

    assert shop.read_session(session.id).amount_total == 1000


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"automatic_tax": {"enabled": True}}, "automatic_tax"),
        ({"tax_id_collection": {"enabled": True}, "customer_update": {"address": "auto"}}, "tax_id_collection"),
    ],
)
def test_known_customer_must_be_updated(shop: Shop, customer: str, params: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.open_session(customer=customer, **params)

    assert caught.value.param == param


def test_customer_update_needs_a_customer(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="customer_update"):
        shop.open_session(customer_update={"address": "auto"})


def test_tax_ids_are_made_listed_and_deleted(shop: Shop, customer: str) -> None:
    tax_ids = shop.client.v1.customers.tax_ids
    made = tax_ids.create(customer, {"type": "eu_vat", "value": "DE123456789"})
    unverified = tax_ids.create(customer, {"type": "gb_vat", "value": "GB111111111"})

    assert made.verification
    assert unverified.verification
    assert (made.verification.status, unverified.verification.status) == ("verified", "unverified")
    assert tax_ids.retrieve(customer, made.id).value == "DE123456789"
    read = shop.client.v1.customers.retrieve(customer, {"expand": ["tax_ids", "tax"]})
    assert read.tax_ids
    assert read.tax
    assert [known.id for known in read.tax_ids.data] == [unverified.id, made.id]
    assert read.tax.automatic_tax == "unrecognized_location"
    assert tax_ids.delete(customer, made.id).deleted
    assert [known.id for known in tax_ids.list(customer).data] == [unverified.id]
    events = [event for event in shop.event_types() if "tax_id" in event]
    assert events == ["customer.tax_id.created", "customer.tax_id.created", "customer.tax_id.deleted"]


@pytest.mark.parametrize(("kind", "value"), [("eu_vat", "US123456789"), ("eu_vat", "DE"), ("gb_vat", "GB12")])
def test_number_of_another_shape_is_refused(shop: Shop, customer: str, kind: Any, value: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.customers.tax_ids.create(customer, {"type": kind, "value": value})

    assert caught.value.code == "tax_id_invalid"


def test_tax_id_belongs_to_one_customer(shop: Shop, customer: str) -> None:
    made = shop.client.v1.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "DE123456789"})
    other = shop.client.v1.customers.create().id

    with pytest.raises(stripe.InvalidRequestError, match="No such tax_id"):
        shop.client.v1.customers.tax_ids.retrieve(other, made.id)


@pytest.mark.parametrize(
    ("country", "status"), [("FR", "supported"), ("US", "not_collecting"), (None, "unrecognized_location")]
)
def test_customer_tells_whether_its_place_can_be_taxed(
    shop: Shop, customer: str, country: str | None, status: str
) -> None:
    if country:
        shop.client.v1.customers.update(customer, {"address": {"country": country}})

    read = shop.client.v1.customers.retrieve(customer, {"expand": ["tax"]})

    assert read.tax
    assert read.tax.automatic_tax == status
