"""Whom invoices are made out to, against the sandbox."""

from typing import Any

import pytest

from billing.errors import StripeObjectMissing, StripeRefused
from billing.gateway.billing_details import Address, parse_billing_details
from billing.gateway.client import StripeGateway
from sandbox.stripe.server import SandboxServer

VIENNA = Address(country="AT", line1="Ring 1", postal_code="1010", city="Wien")


@pytest.fixture
def stripe(stripe_sandbox: SandboxServer) -> StripeGateway:
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)


@pytest.fixture
def customer_id(stripe: StripeGateway) -> str:
    return stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="customer-1").id


def test_new_customer_has_an_address_that_tax_cannot_use(stripe: StripeGateway, customer_id: str) -> None:
    details = stripe.retrieve_billing_details(customer_id=customer_id)

    assert (details.customer_id, details.email, details.name) == (customer_id, "a@example.com", "")
    assert details.address == Address()
    assert (details.tax_ids, details.tax_location) == ((), "unrecognized_location")
    assert (details.default_payment_method_id, details.balance_minor, details.is_deleted) == ("", 0, False)


def test_details_are_changed_and_unset(stripe: StripeGateway, customer_id: str) -> None:
    changed = stripe.update_billing_details(
        customer_id=customer_id, name="Ada GmbH", email="b@example.com", address=VIENNA, idempotency_key="details-1"
    )
    unset = stripe.update_billing_details(
        customer_id=customer_id, name="", email="b@example.com", address=Address(), idempotency_key="details-2"
    )

    assert (changed.name, changed.email, changed.address) == ("Ada GmbH", "b@example.com", VIENNA)
    assert changed.tax_location == "supported"
    assert (unset.name, unset.email, unset.address) == ("", "b@example.com", Address())
    assert stripe.retrieve_billing_details(customer_id=customer_id) == unset


def test_place_without_our_tax_is_told_apart(stripe: StripeGateway, customer_id: str) -> None:
    changed = stripe.update_billing_details(
        customer_id=customer_id, name="", email="", address=Address(country="US"), idempotency_key="details-1"
    )

    assert changed.tax_location == "not_collecting"


def test_country_that_does_not_exist_is_refused(stripe: StripeGateway, customer_id: str) -> None:
    with pytest.raises(StripeRefused):
        stripe.update_billing_details(
            customer_id=customer_id, name="", email="", address=Address(country="Atlantis"), idempotency_key="d-1"
        )


def test_tax_numbers_come_and_go(stripe: StripeGateway, customer_id: str) -> None:
    made = stripe.add_tax_id(customer_id=customer_id, type="eu_vat", value="ATU12345678", idempotency_key="tax-1")

    assert (made.type, made.value, made.status) == ("eu_vat", "ATU12345678", "verified")
    assert stripe.retrieve_billing_details(customer_id=customer_id).tax_ids == (made,)
    stripe.remove_tax_id(customer_id=customer_id, tax_id=made.id)
    assert stripe.retrieve_billing_details(customer_id=customer_id).tax_ids == ()
    with pytest.raises(StripeObjectMissing):
        stripe.remove_tax_id(customer_id=customer_id, tax_id=made.id)


def test_number_of_another_shape_is_refused(stripe: StripeGateway, customer_id: str) -> None:
    with pytest.raises(StripeRefused) as caught:
        stripe.add_tax_id(customer_id=customer_id, type="eu_vat", value="nonsense", idempotency_key="tax-1")

    assert caught.value.stripe_code == "tax_id_invalid"


def test_saved_card_becomes_the_default(stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str) -> None:
    card = stripe_sandbox.control.save_card(customer_id)["id"]

    changed = stripe.set_default_card(customer_id=customer_id, payment_method_id=card, idempotency_key="default-1")

    assert changed.default_payment_method_id == card
    with pytest.raises(StripeRefused):
        stripe.set_default_card(customer_id=customer_id, payment_method_id="pm_none", idempotency_key="default-2")


def test_deleted_customer_is_told_as_such(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    stripe_sandbox.control.delete_customer(customer_id)

    details = stripe.retrieve_billing_details(customer_id=customer_id)

    assert (details.is_deleted, details.name, details.tax_ids) == (True, "", ())


@pytest.mark.parametrize("odd", [None, 0, "", "nul\x00", "\ud800", [], [[]], {}, {"data": [7]}, True, 10**40])
def test_odd_customers_never_raise(odd: Any) -> None:
    names = ["id", "name", "email", "address", "tax_ids", "tax", "invoice_settings", "balance", "currency"]

    details = parse_billing_details(dict.fromkeys(names, odd))

    assert details.address == Address()
    assert details.tax_ids == ()
    assert "\x00" not in details.name
