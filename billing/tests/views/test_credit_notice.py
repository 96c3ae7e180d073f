"""Every page warns who runs out of credits, in words and once."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from billing.kinds import EntryKind
from billing.models import BillingCustomer, CreditBalance
from billing.services.customers import freeze_customer
from billing.services.holds import place_hold
from billing.tests.views.rows import add_entry, make_payment

pytestmark = pytest.mark.django_db
PAGE = "/billing/payments/"


def page_of(browser: Client, path: str = PAGE) -> str:
    return browser.get(path).content.decode()


def allow_overdraft(customer: BillingCustomer, limit: int) -> None:
    CreditBalance.objects.filter(customer=customer).update(overdraft_limit=limit)


def owe(customer: BillingCustomer, amount: str) -> None:
    """Money that was spent already goes back."""
    add_entry(customer, amount, kind=EntryKind.REFUND, payment_id=make_payment(customer).pk)


@pytest.mark.parametrize(
    ("credits", "overdraft", "standing", "words"),
    [
        ("100", 0, "fine", ""),
        ("99.999999", 0, "low", "99.99 credits are left."),
        ("0.000001", 0, "low", "&lt;0.01 credits are left."),
        ("0", 0, "empty", "You can read everything; requests that cost credits are refused."),
        ("0", 50, "overdraft", "Your overdraft of up to 50 lets requests go on; 50 of it are left."),
        ("-20", 50, "overdraft", "Your overdraft of up to 50 lets requests go on; 30 of it are left."),
        ("-50", 50, "debt", "You owe 50 credits."),
        ("-20", 0, "debt", "You owe 20 credits."),
    ],
)
def test_page_says_how_the_customer_stands(
    browser: Client, customer: BillingCustomer, credits: str, overdraft: int, standing: str, words: str
) -> None:
    allow_overdraft(customer, overdraft)
    if Decimal(credits) > 0:
        add_entry(customer, credits)
    elif Decimal(credits) < 0:
        owe(customer, credits)

    page = page_of(browser)

    assert words in page
    if standing == "fine":
        assert "data-credit-notice" not in page
    else:
        assert page.count(f'data-credit-notice="{standing}"') == 1


@pytest.mark.parametrize(
    ("changed", "leads_to_the_shop"),
    [({}, True), ({"STRIPE_BILLING_ENABLED": False}, False), ({"STRIPE_BILLING_COHORT": 0}, False)],
)
def test_warning_leads_to_the_shop_where_something_is_sold(
    browser: Client,
    customer: BillingCustomer,
    settings: Settings,
    changed: dict[str, object],
    *,
    leads_to_the_shop: bool,
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)

    page = page_of(browser, "/billing/webhooks/")

    assert "You have no credits to spend." in page
    assert (">Buy credits</a>" in page) is leads_to_the_shop


def test_freeze_comes_before_all_else(browser: Client, customer: BillingCustomer) -> None:
    freeze_customer(customer_id=customer.pk, reason="A dispute")

    page = page_of(browser)

    assert 'data-credit-notice="frozen"' in page
    assert "Spending is on hold." in page


def test_credits_that_are_held_cannot_be_spent(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500")
    place_hold(customer_id=customer.pk, amount=500, key="test:hold")

    assert 'data-credit-notice="empty"' in page_of(browser)


@pytest.mark.parametrize("path", ["/billing/", "/billing/buy/", "/accounts/email/"])
def test_page_that_warns_by_itself_does_not_warn_twice(browser: Client, customer: BillingCustomer, path: str) -> None:
    assert "data-credit-notice" not in page_of(browser, path)


def test_strangers_are_not_warned(client: Client) -> None:
    assert "data-credit-notice" not in page_of(client, "/accounts/login/")


def test_header_and_notice_read_the_balance_once(browser: Client, customer: BillingCustomer) -> None:
    with CaptureQueriesContext(connection) as captured:
        page_of(browser)

    assert sum("billing_creditbalance" in query["sql"] for query in captured.captured_queries) == 1


def test_overview_says_that_an_overdraft_goes_on(browser: Client, customer: BillingCustomer) -> None:
    allow_overdraft(customer, 50)
    empty = page_of(browser, "/billing/")
    owe(customer, "-20")
    in_debt = page_of(browser, "/billing/")

    assert "You have no credits of your own left." in empty
    assert "up to 50" in empty
    assert "Your overdraft of up to 50 lets requests go on; 30 of it are left." in in_debt
    assert "until then requests are refused" not in in_debt
    assert "with it you can spend 30" in in_debt
