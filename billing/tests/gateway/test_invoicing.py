"""Invoices of our own, against the sandbox."""

from typing import Any

import pytest

from billing.errors import PaymentDeclined, PaymentNeedsAuthentication, StripeRefused, StripeUnavailable
from billing.gateway.billing_details import Address
from billing.gateway.client import StripeGateway
from billing.gateway.invoicing import OwnInvoiceFacts, parse_own_invoice
from sandbox.stripe.server import SandboxServer


@pytest.fixture
def stripe(stripe_sandbox: SandboxServer) -> StripeGateway:
    return StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)


@pytest.fixture
def customer_id(stripe: StripeGateway) -> str:
    made = stripe.create_customer(email="a@example.com", reference="cust_1", idempotency_key="customer-1").id
    stripe.update_billing_details(
        customer_id=made, name="Ada", email="", address=Address(country="FR"), idempotency_key="details-1"
    )
    return made


def open_invoice(stripe: StripeGateway, customer_id: str, card: str, *, is_taxed: bool = True) -> OwnInvoiceFacts:
    """An open invoice over $19.00 before tax."""
    draft = stripe.create_invoice(
        customer_id=customer_id,
        currency="usd",
        payment_reference="pay_1",
        description="Automatic top-up",
        payment_method_id=card,
        is_taxed=is_taxed,
        idempotency_key="topup-1-invoice",
    )
    stripe.add_invoice_item(
        invoice_id=draft.id,
        customer_id=customer_id,
        amount_minor=1900,
        currency="usd",
        description="20,000 credits",
        payment_reference="pay_1",
        idempotency_key="topup-1-item",
    )
    return stripe.finalize_invoice(invoice_id=draft.id, idempotency_key="topup-1-finalize")


def save_card(stripe_sandbox: SandboxServer, customer_id: str, card: str = "4242424242424242") -> str:
    return str(stripe_sandbox.control.save_card(customer_id, card=card)["id"])


def pay(stripe: StripeGateway, invoice: OwnInvoiceFacts, card: str, key: str = "topup-1-pay") -> OwnInvoiceFacts:
    return stripe.pay_invoice(invoice_id=invoice.id, payment_method_id=card, idempotency_key=key)


@pytest.mark.parametrize(("is_taxed", "tax"), [(True, 380), (False, 0)])
def test_topup_with_tax_is_an_invoice(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str, is_taxed: bool, tax: int
) -> None:
    card = save_card(stripe_sandbox, customer_id)

    opened = open_invoice(stripe, customer_id, card, is_taxed=is_taxed)
    paid = pay(stripe, opened, card)

    assert (opened.status, opened.subtotal_minor, opened.tax_minor) == ("open", 1900, tax)
    assert (opened.total_minor, opened.amount_due_minor, opened.amount_paid_minor) == (1900 + tax, 1900 + tax, 0)
    assert opened.number
    assert (paid.status, paid.amount_paid_minor, paid.payment_reference) == ("paid", 1900 + tax, "pay_1")
    assert (paid.customer_id, paid.currency, paid.payment_intent_id) == (customer_id, "usd", opened.payment_intent_id)
    assert paid.hosted_url
    assert paid.pdf_url
    assert stripe.retrieve_invoice(invoice_id=paid.id) == paid
    intent = stripe.retrieve_payment_intent(payment_intent_id=paid.payment_intent_id)
    assert (intent.amount_received_minor, intent.payment_reference) == (1900 + tax, "")
    assert stripe.find_invoice_of_intent(payment_intent_id=intent.id) == paid.id


def test_repeated_steps_make_one_invoice(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    card = save_card(stripe_sandbox, customer_id)

    first = pay(stripe, open_invoice(stripe, customer_id, card), card)
    again = pay(stripe, open_invoice(stripe, customer_id, card), card)

    assert first == again
    assert len(stripe_sandbox.control.list_objects("invoice")) == 1
    assert len(stripe_sandbox.control.list_objects("charge")) == 1
    with pytest.raises(StripeRefused) as caught:
        pay(stripe, first, card, "topup-1-pay-again")
    assert caught.value.stripe_code == "invoice_already_paid"


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        ("4000000000000341", PaymentDeclined, "card_declined"),
        ("4000002760003184", PaymentNeedsAuthentication, "invoice_payment_intent_requires_action"),
    ],
)
def test_failed_payment_names_the_intent_and_leaves_the_invoice_open(
    stripe: StripeGateway,
    stripe_sandbox: SandboxServer,
    customer_id: str,
    number: str,
    kind: type[PaymentDeclined],
    code: str,
) -> None:
    card = save_card(stripe_sandbox, customer_id, number)
    opened = open_invoice(stripe, customer_id, card)

    with pytest.raises(PaymentDeclined) as caught:
        pay(stripe, opened, card)

    assert type(caught.value) is kind
    assert (caught.value.stripe_code, caught.value.payment_intent_id) == (code, opened.payment_intent_id)
    assert caught.value.payment_method_id == card
    assert stripe.retrieve_invoice(invoice_id=opened.id).status == "open"
    gone = stripe.void_invoice(invoice_id=opened.id, idempotency_key="topup-1-void")
    assert (gone.status, gone.amount_paid_minor) == ("void", 0)


def test_decline_stays_one_when_stripe_fails_right_after(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str
) -> None:
    card = save_card(stripe_sandbox, customer_id, "4000000000000341")
    opened = open_invoice(stripe, customer_id, card)
    stripe_sandbox.control.add_fault("error", method="GET", path=f"/v1/invoices/{opened.id}")

    with pytest.raises(PaymentDeclined) as caught:
        pay(stripe, opened, card)

    assert (caught.value.stripe_code, caught.value.payment_intent_id) == ("card_declined", "")


@pytest.mark.parametrize("fault", ["lost_response", "dropped_connection"])
def test_lost_answer_is_unknown_until_the_invoice_is_read(
    stripe: StripeGateway, stripe_sandbox: SandboxServer, customer_id: str, fault: Any
) -> None:
    card = save_card(stripe_sandbox, customer_id)
    opened = open_invoice(stripe, customer_id, card)
    stripe_sandbox.control.add_fault(fault, method="POST", path=f"/v1/invoices/{opened.id}/pay")

    with pytest.raises(StripeUnavailable):
        pay(stripe, opened, card)

    assert stripe.retrieve_invoice(invoice_id=opened.id).status == "paid"
    assert pay(stripe, opened, card).status == "paid"
    assert len(stripe_sandbox.control.list_objects("charge")) == 1


def test_tax_without_a_place_is_refused_and_the_draft_can_be_thrown_away(
    stripe: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    homeless = stripe.create_customer(email="b@example.com", reference="cust_2", idempotency_key="customer-2").id
    card = save_card(stripe_sandbox, homeless)

    with pytest.raises(StripeRefused) as caught:
        open_invoice(stripe, homeless, card)

    assert caught.value.stripe_code == "customer_tax_location_invalid"
    (draft,) = stripe_sandbox.control.list_objects("invoice")
    stripe.delete_draft(invoice_id=draft["id"])
    assert stripe_sandbox.control.list_objects("invoice") == []


@pytest.mark.parametrize("odd", [None, 0, "", "nul\x00", "\ud800", [], [[]], {}, {"data": [7]}, True, 10**40])
def test_odd_invoices_never_raise(odd: Any) -> None:
    names = ["id", "status", "metadata", "payments", "total_taxes", "total", "customer", "hosted_invoice_url"]

    invoice = parse_own_invoice(dict.fromkeys(names, odd))

    assert (invoice.payment_intent_id, invoice.payment_reference) == ("", "")
    assert invoice.tax_minor == 0
