"""Each payment shows its state in words, and what can be done."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import BillingCustomer, Payment
from billing.tests.shop import make_customer
from billing.tests.views.rows import make_payment

pytestmark = pytest.mark.django_db


def page_of(browser: Client, query: str = "") -> str:
    response = browser.get(f"/billing/payments/{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_no_payments_says_what_will_appear(browser: Client) -> None:
    assert "No payments yet" in page_of(browser)


def test_paid_payment_links_its_receipt(browser: Client, customer: BillingCustomer) -> None:
    make_payment(
        customer,
        paid_at=timezone.now(),
        paid_amount_minor=1190,
        paid_currency="usd",
        receipt_url="https://pay.stripe.com/receipts/abc",
    )

    page = page_of(browser)

    assert '<span class="badge good">Paid</span>' in page
    assert "$11.90" in page
    assert "https://pay.stripe.com/receipts/abc" in page
    assert "Continue to pay" not in page


def test_open_payment_can_be_continued(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer)

    page = page_of(browser)

    assert '<span class="badge note">Pending</span>' in page
    assert f"/billing/buy/custom/?payment={payment.public_id}&amp;amount=10" in page


def test_checkout_that_stripe_has_closed_by_now_cannot_be_continued(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer)
    Payment.objects.filter(pk=payment.pk).update(created_at=timezone.now() - timedelta(hours=24))

    assert "Continue to pay" not in page_of(browser)


def test_declined_attempt_says_why(browser: Client, customer: BillingCustomer) -> None:
    attempt = {"code": "card_declined", "message": "Your card was declined.", "at": "2026-11-20T10:00:00+00:00"}
    make_payment(customer, failed_attempts={"ch_1": attempt})

    assert "Your card was declined." in page_of(browser)


def test_failed_payment_says_why_and_that_nothing_was_charged(browser: Client, customer: BillingCustomer) -> None:
    attempt = {"code": "debit", "message": "Your bank refused the debit.", "at": "2026-11-20T10:00:00+00:00"}
    make_payment(customer, completed_at=timezone.now(), failed_at=timezone.now(), failed_attempts={"ch_1": attempt})

    page = page_of(browser)

    assert '<span class="badge bad">Failed</span>' in page
    assert "Your bank refused the debit. Nothing was charged." in page


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"completed_at": timezone.now()}, "Processing"),
        ({"expired_at": timezone.now()}, "Expired"),
        ({"mismatch": "Paid for $9.00, offered for $10.00."}, "Under review"),
    ],
)
def test_other_states_have_their_word(
    browser: Client, customer: BillingCustomer, facts: dict[str, object], word: str
) -> None:
    make_payment(customer, **facts)

    page = page_of(browser)

    assert f">{word}</span>" in page
    assert "offered for $10.00" not in page


def test_pages_go_on_where_the_last_one_ended(browser: Client, customer: BillingCustomer) -> None:
    payments = [make_payment(customer) for _ in range(26)]

    first = page_of(browser)
    second = page_of(browser, f"?before={payments[1].pk}")

    assert f"before={payments[1].pk}" in first
    assert payments[0].public_id not in first
    assert payments[0].public_id in second
    assert payments[1].public_id not in second


def test_payments_of_others_are_not_shown(browser: Client) -> None:
    payment = make_payment(make_customer())

    assert payment.public_id not in page_of(browser)
