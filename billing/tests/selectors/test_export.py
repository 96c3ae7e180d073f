"""Every sheet: complete in pieces, exact, harmless, and bounded where it must be."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook
from pytest_django import Settings

from accounts.models import User
from billing.errors import InvalidRequest
from billing.kinds import EntryKind
from billing.models import Adjustment, LedgerEntry, Payment
from billing.selectors import export
from billing.selectors.export import stream_csv
from billing.selectors.export_sheets import ADJUSTMENTS, LEDGER, PAYMENTS, SHEETS, Sheet, choose_rows
from billing.selectors.export_xlsx import write_xlsx
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import buy, give, use
from billing.tests.views.rows import make_payment

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def csv_of(sheet: Sheet, rows: QuerySet[Any] | None = None) -> list[list[str]]:
    pieces = stream_csv(sheet=sheet, rows=choose_rows(sheet=sheet) if rows is None else rows)
    return list(csv.reader(StringIO("".join(pieces))))


def workbook_of(sheet: Sheet, rows: QuerySet[Any] | None = None) -> list[list[Any]]:
    target = BytesIO()
    write_xlsx(sheet=sheet, rows=choose_rows(sheet=sheet) if rows is None else rows, target=target)
    return [[cell.value for cell in row] for row in load_workbook(target).active.iter_rows()]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_PER_CHUNK", 2)


@pytest.mark.usefixtures("small_pages")
def test_pages_lose_and_repeat_no_row_across_customers() -> None:
    customers = [make_customer() for _ in range(4)]
    for count, customer in zip([3, 2, 1, 4], customers, strict=True):
        for _ in range(count):
            give(customer, 1)

    rows = csv_of(LEDGER)[1:]

    assert [(row[0], row[7]) for row in rows] == [
        (customer.public_id, str(number))
        for count, customer in zip([3, 2, 1, 4], customers, strict=True)
        for number in range(1, count + 1)
    ]


@pytest.mark.usefixtures("small_pages")
def test_a_list_in_any_order_is_exported_by_key() -> None:
    customer = make_customer()
    payments = [make_payment(customer) for _ in range(5)]

    rows = csv_of(PAYMENTS, Payment.objects.order_by("-created_at", "-pk"))[1:]

    assert [row[0] for row in rows] == [payment.public_id for payment in payments]


def test_the_number_of_statements_grows_with_pages_alone() -> None:
    customer = make_customer()
    for _ in range(3):
        make_payment(customer)

    with CaptureQueriesContext(connection) as queries:
        csv_of(PAYMENTS)

    assert len(queries) == 1


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=lambda sheet: sheet.name)
def test_a_sheet_without_rows_is_its_columns(sheet: Sheet) -> None:
    assert csv_of(sheet) == [list(sheet.columns)]
    assert workbook_of(sheet) == [list(sheet.columns)]


def test_payments_say_money_exactly_in_its_currency() -> None:
    customer = make_customer()
    paid = {"paid_at": NOON, "paid_currency": "jpy", "paid_amount_minor": 1234, "paid_tax_minor": 4}
    back = {"refunded_minor": 7, "credited_minor": 9}
    make_payment(customer, description="=1+1", currency="kwd", amount_minor=1001, **back, **paid)
    make_payment(customer)

    header, first, second = csv_of(PAYMENTS)
    named = dict(zip(header, first, strict=True))

    assert (named["price"], named["currency"]) == ("1.001", "kwd")
    assert (named["paid"], named["paid_tax"], named["paid_currency"]) == ("1234", "4", "jpy")
    assert (named["paid_utc"], named["refunded"], named["given_back"]) == ("2026-03-01 12:00:00", "7", "0")
    assert (named["credited_by_notes"], named["withdrawn_by_disputes"]) == ("9", "0")
    assert named["description"] == "'=1+1"
    assert dict(zip(header, second, strict=True))["paid"] == ""


def test_adjustments_name_who_asked_and_who_decided() -> None:
    asker, decider = (User.objects.create_user(f"{name}@example.com", is_staff=True) for name in ("ann", "ben"))
    Adjustment.objects.create(
        customer=make_customer(),
        amount=Decimal("-12.5"),
        form_key="form",
        requested_by=asker,
        requested_at=NOON,
        reason_code="other",
        note="@SUM(1)",
        needs_approval=True,
        approved_by=decider,
        decided_at=NOON,
        decision="declined",
    )

    (row,) = csv_of(ADJUSTMENTS)[1:]
    named = dict(zip(ADJUSTMENTS.columns, row, strict=True))

    assert (named["amount"], named["state"], named["note"]) == ("-12.500000", "declined", "'@SUM(1)")
    assert (named["requested_by"], named["decided_by"]) == ("ann@example.com", "ben@example.com")
    assert named["entry_sequence"] == ""


def test_a_workbook_keeps_every_digit() -> None:
    customer = make_customer()
    amounts = ["9.95", "0.000001", "999999999.999999", "1234567890.123456"]
    for amount in amounts:
        give(customer, amount, occurred_at=NOON)

    header, *rows = workbook_of(LEDGER)
    target = BytesIO()
    write_xlsx(sheet=LEDGER, rows=choose_rows(sheet=LEDGER), target=target)

    amount_at = header.index("amount")
    assert [row[amount_at] for row in rows] == [9.95, 0.000001, 999999999.999999, "1234567890.123456"]
    assert [Decimal(str(row[amount_at])) for row in rows] == [Decimal(amount) for amount in amounts]
    assert rows[0][header.index("time_utc")] == NOON.replace(tzinfo=None)


def test_a_workbook_computes_nothing_and_takes_any_text() -> None:
    customer = make_customer()
    give(customer, 1, description="=1+1")
    give(customer, 1, description="#REF!")
    give(customer, 1, description="bell \x07 rings")

    target = BytesIO()
    write_xlsx(sheet=LEDGER, rows=choose_rows(sheet=LEDGER), target=target)
    page = load_workbook(target).active
    cells = [page.cell(row=row, column=LEDGER.columns.index("description") + 1) for row in (2, 3, 4)]

    assert [cell.value for cell in cells] == ["'=1+1", "#REF!", "bell \ufffd rings"]
    assert {cell.data_type for row in page.iter_rows() for cell in row} <= {"s", "n", "d"}


def test_a_negative_number_that_no_spreadsheet_holds_is_a_text_without_an_apostrophe() -> None:
    customer = make_customer()
    payment = buy(customer, "1234567890.123456")
    assert payment
    use(customer, "1234567890.123456")

    rows = workbook_of(LEDGER, LedgerEntry.objects.filter(kind=EntryKind.USAGE))

    assert rows[1][LEDGER.columns.index("amount")] == "-1234567890.123456"


def test_a_workbook_has_as_many_rows_as_allowed_and_no_more(settings: Settings) -> None:
    settings.EXPORT_XLSX_MAX_ROWS = 2
    customer = make_customer()
    give(customer, 1)
    give(customer, 1)
    assert len(workbook_of(LEDGER)) == 3

    give(customer, 1)
    with pytest.raises(InvalidRequest, match="more than 2 rows do not fit into XLSX"):
        workbook_of(LEDGER)


def test_a_period_is_measured_by_the_time_of_the_sheet() -> None:
    customer = make_customer()
    early = make_payment(customer)
    Payment.objects.filter(pk=early.pk).update(created_at=NOON)
    late = make_payment(customer)

    def names(*, since: datetime | None = None, until: datetime) -> list[str]:
        return [payment.public_id for payment in choose_rows(sheet=PAYMENTS, since=since, until=until)]

    assert names(until=timezone.now()) == [early.public_id, late.public_id]
    assert names(since=NOON, until=timezone.now()) == [early.public_id, late.public_id]
    assert names(until=NOON) == []
