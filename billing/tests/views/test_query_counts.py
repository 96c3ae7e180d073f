"""A page asks the database as often for 500 rows as for 5."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import BillingCustomer
from billing.tests.views.rows import fill_ledger, make_payment

LISTS = [
    "/billing/",
    "/billing/ledger/",
    "/billing/ledger/?kind=usage",
    "/billing/ledger/sums/?kind=usage",
    "/billing/payments/",
    "/billing/buy/",
    "/billing/balance/",
    "/billing/redeem/?code=0000-0000-0000-0000",
    "/billing/settings/",
]


def count_queries(browser: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


@pytest.mark.django_db
def test_number_of_queries_does_not_grow_with_the_rows(browser: Client, customer: BillingCustomer) -> None:
    fill_ledger(customer, count=5)
    make_payment(customer)
    few = {path: count_queries(browser, path) for path in LISTS}

    fill_ledger(customer, count=495)
    for _ in range(29):
        make_payment(customer)
    many = {path: count_queries(browser, path) for path in LISTS}

    assert many == few


@pytest.mark.django_db
def test_page_and_header_read_the_balance_once(browser: Client, customer: BillingCustomer) -> None:
    fill_ledger(customer, count=2)

    with CaptureQueriesContext(connection) as captured:
        browser.get("/billing/ledger/")

    assert sum("billing_creditbalance" in query["sql"] for query in captured.captured_queries) == 1
