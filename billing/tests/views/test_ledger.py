"""The ledger page: filters, running balance, pages, sums."""

import csv
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.test import Client

from billing.kinds import EntryKind
from billing.models import BillingCustomer
from billing.tests.shop import make_customer
from billing.tests.views.rows import add_entry, fill_ledger, make_payment

pytestmark = pytest.mark.django_db


def page_of(browser: Client, query: str = "", *, status: int = 200) -> str:
    response = browser.get(f"/billing/ledger/{query}")
    assert response.status_code == status
    return response.content.decode()


def test_empty_ledger_says_what_will_appear(browser: Client) -> None:
    assert "Nothing has moved yet" in page_of(browser)


def test_entries_show_amount_and_running_balance(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500", description="Welcome")
    add_entry(customer, "-0.000412", kind=EntryKind.USAGE, description="One line")

    page = page_of(browser)

    assert "−0.000412" in page
    assert "499.999588" in page
    assert "Usage: One line" in page
    assert page.index("One line") < page.index("Welcome")


def test_details_name_the_payment_and_its_receipt(browser: Client, customer: BillingCustomer) -> None:
    payment = make_payment(customer, receipt_url="https://pay.stripe.com/receipts/abc")
    add_entry(customer, "10000", kind=EntryKind.PURCHASE, payment_id=payment.pk, cost_minor=1000, currency="usd")

    page = page_of(browser)

    assert payment.public_id in page
    assert "https://pay.stripe.com/receipts/abc" in page


def test_filter_by_kind_shows_only_that_kind(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500", description="Welcome")
    add_entry(customer, "-3", kind=EntryKind.USAGE, description="One request")

    page = page_of(browser, "?kind=usage")

    assert "One request" in page
    assert "Welcome" not in page


def test_filter_by_days_includes_the_last_one(browser: Client, customer: BillingCustomer) -> None:
    for day, text in ((1, "Day before"), (2, "First day"), (3, "Last day"), (4, "Day after")):
        add_entry(customer, "5", description=text, occurred_at=datetime(2026, 11, day, 23, 59, tzinfo=UTC))

    page = page_of(browser, "?since=2026-11-02&until=2026-11-03")

    assert "First day" in page
    assert "Last day" in page
    assert "Day before" not in page
    assert "Day after" not in page


def test_filter_without_a_match_offers_all_entries(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "500")

    assert "No entries match" in page_of(browser, "?kind=refund")


@pytest.mark.parametrize(
    "query", ["?kind=theft", "?since=yesterday", "?since=2026-11-03&until=2026-11-02", "?until=0000-00-00"]
)
def test_filter_that_cannot_be_read_shows_nothing(browser: Client, customer: BillingCustomer, query: str) -> None:
    add_entry(customer, "500", description="Welcome")

    page = page_of(browser, query, status=400)

    assert "The filter could not be read" in page
    assert "Welcome" not in page


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣", "9" * 30])
def test_cursor_that_is_no_number_is_no_page(browser: Client, cursor: str) -> None:
    page_of(browser, f"?before={cursor}", status=404)


def test_pages_go_on_where_the_last_one_ended(browser: Client, customer: BillingCustomer) -> None:
    fill_ledger(customer, count=30)

    first, second = page_of(browser, "?kind=usage"), page_of(browser, "?kind=usage&before=6")

    assert "?kind=usage&amp;before=6" in first
    assert 'id="entry-6"' in first
    assert 'id="entry-5"' in second
    assert 'id="entry-6"' not in second


def test_sums_are_those_of_the_filter(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "555555")
    add_entry(customer, "-3.5", kind=EntryKind.USAGE)
    add_entry(customer, "-1", kind=EntryKind.USAGE)

    sums = browser.get("/billing/ledger/sums/?kind=usage").content.decode()

    assert "−4.5" in sums
    assert "555,555" not in sums


def test_entries_of_others_are_not_shown(browser: Client) -> None:
    add_entry(make_customer(), "777777", description="Somebody else's")

    assert "Somebody else" not in page_of(browser)
    assert "777,777" not in browser.get("/billing/ledger/sums/").content.decode()


def test_description_is_escaped(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "1", description="<script>alert(1)</script>")

    page = page_of(browser)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def export_of(browser: Client, query: str = "") -> list[dict[str, str]]:
    response = browser.get(f"/billing/ledger/export.csv{query}")
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith('attachment; filename="ledger-')
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # a StreamingHttpResponse
    return list(csv.DictReader(StringIO(text)))


def test_export_has_all_rows_of_the_filter_with_exact_decimals(browser: Client, customer: BillingCustomer) -> None:
    fill_ledger(customer, count=40)
    add_entry(customer, "-0.000412", kind=EntryKind.USAGE)

    rows = export_of(browser, "?kind=usage")

    assert len(rows) == 40
    assert "-0.000412" in rows[-1].values()


def test_export_cannot_run_in_a_spreadsheet(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "1", description='=HYPERLINK("https://example.com","Click")')

    values = [value for row in export_of(browser) for value in row.values()]

    assert not any(value.startswith("=") for value in values)
    assert any("HYPERLINK" in value for value in values)


def test_export_of_others_is_empty(browser: Client) -> None:
    add_entry(make_customer(), "777")

    assert export_of(browser) == []


def test_export_of_a_filter_that_cannot_be_read_is_refused(browser: Client) -> None:
    assert browser.get("/billing/ledger/export.csv?since=x").status_code == 400


def test_ledger_links_the_export_of_its_filter(browser: Client, customer: BillingCustomer) -> None:
    add_entry(customer, "-1", kind=EntryKind.REFUND, payment_id=make_payment(customer).pk)

    page = page_of(browser, "?kind=refund&since=2026-01-01&before=999")

    assert "/billing/ledger/export.csv?kind=refund&amp;since=2026-01-01" in page
