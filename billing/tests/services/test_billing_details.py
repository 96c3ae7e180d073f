"""Whom invoices are made out to, kept at the sandbox."""

from dataclasses import replace

import pytest
from django.db import transaction

from billing.errors import InvalidRequest, StripeUnavailable
from billing.gateway.billing_details import Address
from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer
from billing.services.billing_details import BillingDetails, read_billing_details, save_billing_details
from billing.services.stripe_customers import ensure_stripe_customer, forget_stripe_customer
from billing.tests.shop import make_customer
from billing.tests.threads import at_once
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)
VIENNA = Address(country="AT", line1="Ring 1", postal_code="1010", city="Wien")
ADA = BillingDetails(name="Ada GmbH", email="books@example.com", address=VIENNA, tax_number="atu 12345678")


def numbers(customer: BillingCustomer, gateway: StripeGateway) -> list[str]:
    found = read_billing_details(customer=customer, gateway=gateway)
    assert found is not None
    return [one.value for one in found.tax_ids]


def shown(customer: BillingCustomer, gateway: StripeGateway) -> str:
    found = read_billing_details(customer=customer, gateway=gateway)
    assert found is not None
    return found.tax_ids[0].id


def fresh(customer: BillingCustomer) -> BillingCustomer:
    return BillingCustomer.objects.get(pk=customer.pk)


def test_first_saving_makes_the_customer_at_stripe(customer: BillingCustomer, gateway: StripeGateway) -> None:
    assert read_billing_details(customer=customer, gateway=gateway) is None

    save_billing_details(customer=customer, details=ADA, gateway=gateway)

    found = read_billing_details(customer=fresh(customer), gateway=gateway)
    assert found is not None
    assert (found.name, found.email, found.address) == ("Ada GmbH", "books@example.com", VIENNA)
    assert [(one.type, one.value) for one in found.tax_ids] == [("eu_vat", "ATU12345678")]
    assert fresh(customer).details_saved_at is not None


def test_going_back_to_former_details_is_no_replay(customer: BillingCustomer, gateway: StripeGateway) -> None:
    other = replace(ADA, name="Lovelace AG")
    for details in (ADA, other, ADA):
        save_billing_details(customer=customer, details=details, gateway=gateway)

    found = read_billing_details(customer=fresh(customer), gateway=gateway)
    assert found is not None
    assert found.name == "Ada GmbH"
    assert len(found.tax_ids) == 1


def test_another_number_takes_the_place_of_the_one_shown(customer: BillingCustomer, gateway: StripeGateway) -> None:
    save_billing_details(customer=customer, details=ADA, gateway=gateway)
    customer = fresh(customer)
    first = shown(customer, gateway)
    gateway.add_tax_id(
        customer_id=customer.stripe_customer_id or "", type="us_ein", value="12-3456789", idempotency_key="by-portal"
    )

    changed = replace(ADA, tax_number="DE123456789", shown_tax_id=first)
    save_billing_details(customer=customer, details=changed, gateway=gateway)
    save_billing_details(customer=customer, details=changed, gateway=gateway)  # its old number is gone: no fault

    assert sorted(numbers(customer, gateway)) == ["12-3456789", "DE123456789"]


def test_emptied_number_is_removed(customer: BillingCustomer, gateway: StripeGateway) -> None:
    save_billing_details(customer=customer, details=ADA, gateway=gateway)
    customer = fresh(customer)

    emptied = replace(ADA, tax_number="", shown_tax_id=shown(customer, gateway))
    save_billing_details(customer=customer, details=emptied, gateway=gateway)

    assert numbers(customer, gateway) == []


def test_number_of_somebody_else_cannot_be_removed(customer: BillingCustomer, gateway: StripeGateway) -> None:
    other = make_customer()
    save_billing_details(customer=other, details=ADA, gateway=gateway)
    other = fresh(other)

    forged = replace(ADA, tax_number="", shown_tax_id=shown(other, gateway))
    save_billing_details(customer=customer, details=forged, gateway=gateway)

    assert numbers(other, gateway) == ["ATU12345678"]


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (replace(ADA, address=replace(VIENNA, country="")), "country"),
        (replace(ADA, address=replace(VIENNA, country="XX")), "country"),
        (replace(ADA, address=replace(VIENNA, country="BO")), "tax_number"),  # of which we know no numbers
    ],
)
def test_what_cannot_be_is_refused_before_stripe_is_asked(
    customer: BillingCustomer, gateway: StripeGateway, details: BillingDetails, field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        save_billing_details(customer=customer, details=details, gateway=gateway)

    assert caught.value.field == field
    assert fresh(customer).stripe_customer_id is None


def test_number_that_stripe_refuses_leaves_the_rest_saved(customer: BillingCustomer, gateway: StripeGateway) -> None:
    with pytest.raises(InvalidRequest) as caught:
        save_billing_details(customer=customer, details=replace(ADA, tax_number="nonsense"), gateway=gateway)

    assert caught.value.field == "tax_number"
    assert "ATU12345678" in caught.value.remedy
    found = read_billing_details(customer=fresh(customer), gateway=gateway)
    assert found is not None
    assert (found.name, found.tax_ids) == ("Ada GmbH", ())


def test_customer_deleted_at_stripe_is_made_anew(
    customer: BillingCustomer, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    missing = ensure_stripe_customer(customer=customer, gateway=gateway)
    stripe_sandbox.control.delete_customer(missing)
    assert read_billing_details(customer=fresh(customer), gateway=gateway) is None

    save_billing_details(customer=fresh(customer), details=ADA, gateway=gateway)

    assert fresh(customer).stripe_customer_id != missing
    assert numbers(fresh(customer), gateway) == ["ATU12345678"]


def test_what_goes_with_the_customer_at_stripe_is_not_on_file(
    customer: BillingCustomer, gateway: StripeGateway
) -> None:
    save_billing_details(customer=customer, details=ADA, gateway=gateway)
    with transaction.atomic():
        assert forget_stripe_customer(stripe_customer_id=fresh(customer).stripe_customer_id or "")

    assert fresh(customer).details_saved_at is None


def test_address_entered_elsewhere_is_noticed_when_it_is_read(
    customer: BillingCustomer, gateway: StripeGateway
) -> None:
    at_stripe = ensure_stripe_customer(customer=customer, gateway=gateway)
    read_billing_details(customer=fresh(customer), gateway=gateway)
    assert fresh(customer).details_saved_at is None
    gateway.update_billing_details(customer_id=at_stripe, name="", email="", address=VIENNA, idempotency_key="portal")

    read_billing_details(customer=fresh(customer), gateway=gateway)

    assert fresh(customer).details_saved_at is not None


def test_silence_of_stripe_is_told_and_saving_again_ends_well(
    customer: BillingCustomer, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    ensure_stripe_customer(customer=customer, gateway=gateway)
    customer = fresh(customer)
    stripe_sandbox.control.fail_reads(percent=100)
    with pytest.raises(StripeUnavailable):
        read_billing_details(customer=customer, gateway=gateway)
    with pytest.raises(StripeUnavailable):  # its number is in place, and what came of it is not seen
        save_billing_details(customer=customer, details=ADA, gateway=gateway)
    stripe_sandbox.control.clear_faults()

    save_billing_details(customer=customer, details=ADA, gateway=gateway)

    assert numbers(customer, gateway) == ["ATU12345678"]


def test_two_savings_at_once_leave_one_number(customer: BillingCustomer, gateway: StripeGateway) -> None:
    ensure_stripe_customer(customer=customer, gateway=gateway)
    customer = fresh(customer)

    at_once(*[lambda: save_billing_details(customer=customer, details=ADA, gateway=gateway)] * 4)

    assert numbers(customer, gateway) == ["ATU12345678"]
