"""The invoices page, and the card that it shows."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.models import BillingCustomer, CreditNote, Invoice
from billing.services.stripe_customers import ensure_stripe_customer
from billing.tests.plan_world import make_subscriber
from billing.tests.views.rows import make_payment
from billing.views import invoices as page_of
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db
INVOICES, METHOD = "/billing/invoices/", "/billing/payment-method/"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def make_invoice(customer: BillingCustomer, number: str, **fields: object) -> Invoice:
    terms = {
        "invoice_id": f"in_{number}",
        "number": number,
        "status": "paid",
        "currency": "usd",
        "total_minor": 2261,
        "tax_minor": 361,
        "hosted_url": f"https://invoice.example.com/{number}",
        "pdf_url": f"https://invoice.example.com/{number}.pdf",
        "created_at": NOON,
        "read_at": NOON,
    }
    return Invoice.objects.create(customer=customer, **{**terms, **fields})


def make_credit_note(invoice: Invoice, number: str, *, total_minor: int, **fields: object) -> CreditNote:
    terms = {
        "credit_note_id": f"cn_{number}",
        "number": number,
        "currency": invoice.currency,
        "total_minor": total_minor,
        "to_balance_minor": total_minor,
        "pdf_url": f"https://invoice.example.com/{number}.pdf",
        "issued_at": NOON,
    }
    return CreditNote.objects.create(invoice=invoice, **{**terms, **fields})


def test_credit_notes_stand_beside_their_invoice_until_they_are_void(
    browser: Client, customer: BillingCustomer
) -> None:
    invoice = make_invoice(customer, "A-1")
    make_credit_note(invoice, "A-1-CN-01", total_minor=500)
    make_credit_note(invoice, "A-1-CN-02", total_minor=300, is_void=True, voided_at=NOON)

    page = browser.get(INVOICES).content.decode()

    assert "Credit note A-1-CN-01: $5.00" in page
    assert "https://invoice.example.com/A-1-CN-01.pdf" in page
    assert "A-1-CN-02" not in page


def test_invoices_of_packs_and_plans_are_listed_together(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, description="The large pack")
    make_invoice(customer, "A-1", payment=payment)
    make_invoice(customer, "A-2", subscription_id="sub_1", status="open", tax_minor=0, total_minor=1900)

    page = browser.get(INVOICES).content.decode()

    for words in ("A-1", "A-2", "The large pack", "Paid", "Unpaid", "$22.61", "$3.61 tax included", "$19.00"):
        assert words in page
    assert page.index("A-2") < page.index("A-1")
    assert 'href="https://invoice.example.com/A-1.pdf"' in page
    assert "See and pay" in page


def test_invoices_of_others_and_drafts_are_not_shown(browser: Client, customer: BillingCustomer) -> None:
    make_invoice(make_subscriber(), "B-1")
    make_invoice(customer, "B-2", status="draft")

    page = browser.get(INVOICES).content.decode()

    assert "B-1" not in page
    assert "B-2" not in page
    assert "No invoices yet" in page


def test_pages_go_on_by_a_cursor(browser: Client, customer: BillingCustomer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_of, "PAGE_SIZE", 2)
    for number in range(5):
        make_invoice(customer, f"C-{number}")

    seen, address = [], INVOICES
    for _ in range(3):
        context = browser.get(address).context
        seen += [invoice.number for invoice in context["invoices"]]
        address = f"{INVOICES}?before={context['next_before']}"

    assert seen == [f"C-{number}" for number in (4, 3, 2, 1, 0)]
    assert context["next_before"] is None
    assert browser.get(f"{INVOICES}?before=x").status_code == 404


def test_the_saved_card_is_shown_by_brand_and_last_digits(
    browser: Client, customer: BillingCustomer, gateway: StripeGateway, stripe_sandbox: SandboxServer
) -> None:
    assert "No card is saved" in browser.get(METHOD).content.decode()
    customer.stripe_customer_id = ensure_stripe_customer(customer=customer, gateway=gateway)
    assert "No card is saved" in browser.get(METHOD).content.decode()

    stripe_sandbox.control.save_card(customer.stripe_customer_id, card="4242424242424242")

    assert "Visa ending in 4242" in browser.get(METHOD).content.decode()


def test_stripe_out_of_reach_leaves_the_page_whole(
    browser: Client, customer: BillingCustomer, settings: Settings
) -> None:
    customer.stripe_customer_id = "cus_1"
    customer.save()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    response = browser.get(METHOD)

    assert response.status_code == 200
    assert "Stripe does not answer right now" in response.content.decode()
    assert browser.get(INVOICES).status_code == 200
