"""The overview says what there is, and what needs attention, in words."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.services.customers import freeze_customer
from billing.services.holds import place_hold
from billing.tests.shop import make_customer
from billing.tests.views.rows import add_entry, make_payment

pytestmark = pytest.mark.django_db


def page_of(browser: Client) -> str:
    response = browser.get("/billing/")
    assert response.status_code == 200
    return response.content.decode()


def test_empty_overview_says_what_will_appear(browser: Client) -> None:
    page = page_of(browser)

    assert "Nothing has moved yet" in page
    assert "You have no credits to spend." in page
    assert '<svg class="chart"' not in page


def test_full_overview_shows_available_held_kinds_expiry_and_entries(
    browser: Client, customer: BillingCustomer
) -> None:
    now = timezone.now()
    add_entry(customer, "500", kind=EntryKind.SIGNUP_BONUS, expires_at=now + timedelta(days=9))
    add_entry(customer, "10000", kind=EntryKind.PURCHASE, cost_minor=1000, currency="usd")
    place_hold(customer_id=customer.pk, amount=Decimal(250), key="test:hold")

    page = page_of(browser)

    assert '<span class="big" title="10,250">10,250</span>' in page
    assert "worth $10.25 at list price" in page
    assert "<dd>250</dd>" in page
    assert "500 credits expire on" in page
    assert "Bought" in page
    assert "Free credits are spent first" in page
    assert "Sign-up bonus" in page
    assert "+10,000" in page


def test_chart_has_a_table_with_the_same_numbers(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500", kind=EntryKind.SIGNUP_BONUS)
    add_entry(customer, "-20.5", kind=EntryKind.USAGE)

    page = page_of(browser)

    assert 'class="bar-in"' in page
    assert 'class="bar-out"' in page
    assert '<td class="number">500</td>' in page
    assert '<td class="number">20.5</td>' in page


def test_low_balance_is_said_in_words(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "99")

    assert "Your balance is low." in page_of(browser)


def test_balance_at_the_threshold_is_not_low(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "100")

    assert "Your balance is low." not in page_of(browser)


def test_debt_is_shown_beside_a_balance_of_zero(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer)
    add_entry(customer, "-420", kind=EntryKind.REFUND, payment_id=payment.pk)

    page = page_of(browser)

    assert '<span class="big" title="0">0</span>' in page
    assert "You owe 420 credits ($0.42)." in page


def test_freeze_is_said_in_words(browser: Client, customer: BillingCustomer) -> None:
    freeze_customer(customer_id=customer.pk, reason="A dispute that only staff should read of")

    page = page_of(browser)

    assert "Spending is on hold." in page
    assert "only staff should read" not in page


def test_payment_on_its_way_says_not_to_pay_again(browser: Client, customer: BillingCustomer) -> None:
    make_payment(customer, completed_at=timezone.now())

    page = page_of(browser)

    assert "A payment is on its way." in page
    assert "do not pay again" in page


def test_credits_of_others_are_not_shown(browser: Client) -> None:
    add_entry(make_customer(), "777777", description="Somebody else's")

    page = page_of(browser)

    assert "777,777" not in page
    assert "Somebody else" not in page


def test_runway_is_told_after_three_days_of_use(browser: Client, customer: BillingCustomer) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=2), tick=True):
        add_entry(customer, "700")
        add_entry(customer, "-40", kind=EntryKind.USAGE)
    assert "-day average" not in page_of(browser)
    with time_machine.travel(now - timedelta(days=3), tick=True):
        add_entry(customer, "-50", kind=EntryKind.USAGE, occurred_at=timezone.now())

    assert "Enough for about 20 days at your 3-day average." in page_of(browser)


def test_usage_of_the_month_is_asked_for_where_there_was_some(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500")
    assert "/billing/usage/top/" not in page_of(browser)

    add_entry(customer, "-1", kind=EntryKind.USAGE)

    assert 'hx-get="/billing/usage/top/"' in page_of(browser)
