"""The ledger as CSV: complete, exact, and harmless in a spreadsheet."""

import csv
import stat
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from itertools import islice
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook
from pytest_django import Settings

from billing.kinds import EntryKind
from billing.models import AuditEntry, BillingCustomer
from billing.selectors.entries import EntryFilter
from billing.selectors.export import ROWS_PER_CHUNK, neutralise_formula, stream_ledger_csv
from billing.services.holds import place_hold, settle_hold
from billing.services.posting import post_many
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import buy, give, post_one, posting_of, use

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def customer(db: None) -> BillingCustomer:
    return make_customer()


def export(*arguments: object) -> list[list[str]]:
    """The rows that `manage.py export_ledger` writes to the terminal."""
    out = StringIO()
    call_command("export_ledger", *map(str, arguments), stdout=out)
    return list(csv.reader(StringIO(out.getvalue())))


def test_every_entry_is_a_row_in_words_and_exact_numbers(customer: BillingCustomer) -> None:
    payment = buy(customer, 10, occurred_at=NOON, description="Pack")
    use(customer, "0.000001", occurred_at=NOON, description='Image "A", large', key="api:image-7")
    hold = place_hold(customer_id=customer.pk, amount=2, key="api:hold")
    settle_hold(hold=hold.public_id, amount=2)

    rows = export("--customer", customer.public_id)

    assert rows[:3] == [
        ["time_utc", "type", "description", "amount", "balance", "reference"],
        ["2026-03-01 12:00:00", "purchase", "Pack", "10.000000", "10.000000", payment.public_id],
        ["2026-03-01 12:00:00", "usage", 'Image "A", large', "-0.000001", "9.999999", "image-7"],
    ]
    assert rows[3][3:] == ["-2.000000", "7.999999", hold.public_id]


def test_a_cell_cannot_be_a_formula(customer: BillingCustomer) -> None:
    give(customer, 5, description="=HYPERLINK(1)", key="api:@SUM(1)")

    out = StringIO()
    call_command("export_ledger", "--customer", customer.public_id, stdout=out)

    assert '''"'=HYPERLINK(1)",5.000000,5.000000,"'@SUM(1)"''' in out.getvalue()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", " =", "\u00a0@"])
def test_what_a_spreadsheet_computes_gets_an_apostrophe(start: str) -> None:
    assert neutralise_formula(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", "Pack", "a=b", "1-2", "'=1", "ü", "10,000 credits"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert neutralise_formula(text) == text


def test_numbers_are_not_quoted_and_texts_are(customer: BillingCustomer) -> None:
    give(customer, 5, description="a;=b", key="api:k", occurred_at=NOON)

    (row,) = list(stream_ledger_csv(entry_filter=EntryFilter(customer.pk)))[1:]

    assert row == '"2026-03-01 12:00:00","promotion","a;=b",5.000000,5.000000,"k"\r\n'


def test_without_a_customer_all_are_exported_and_named() -> None:
    first, second = make_customer(), make_customer()
    give(second, 1)
    give(first, 2)
    use(first, 1)

    rows = export()

    assert rows[0][0] == "customer"
    assert [(row[0], row[4]) for row in rows[1:]] == [
        (first.public_id, "2.000000"),
        (first.public_id, "-1.000000"),
        (second.public_id, "1.000000"),
    ]


def test_the_filters_choose_by_kind_and_by_time(customer: BillingCustomer) -> None:
    give(customer, 1, occurred_at=datetime(2026, 3, 1, tzinfo=UTC))
    give(customer, 2, occurred_at=datetime(2026, 3, 2, tzinfo=UTC))
    post_one(customer, EntryKind.VOUCHER, 3, occurred_at=datetime(2026, 3, 3, tzinfo=UTC))
    use(customer, 4, occurred_at=datetime(2026, 3, 4, tzinfo=UTC))

    def amounts(*arguments: str) -> list[Decimal]:
        return [Decimal(row[4]) for row in export(*arguments)[1:]]

    assert amounts("--since", "2026-03-02", "--until", "2026-03-04") == [2, 3]
    assert amounts("--since", "2026-03-02T00:00:00.000001+00:00") == [3, -4]
    assert amounts("--kind", "voucher", "--kind", "usage") == [3, -4]
    assert amounts("--until", "2026-03-01") == []


def test_a_long_ledger_comes_in_pieces_of_one_short_statement_each(customer: BillingCustomer) -> None:
    count = ROWS_PER_CHUNK * 2 + 1
    post_many(postings=[posting_of(customer, EntryKind.PROMOTION, 1) for _ in range(count)])

    with CaptureQueriesContext(connection) as queries:
        pieces = stream_ledger_csv(entry_filter=EntryFilter(customer.pk))
        first = list(islice(pieces, 2))
        rest = list(pieces)

    assert first[1].count("\r\n") == ROWS_PER_CHUNK
    assert [piece.count("\r\n") for piece in rest] == [ROWS_PER_CHUNK, 1]
    assert len(queries) == 4  # three pages, and a look for another customer
    assert all(query["sql"].endswith(f"LIMIT {ROWS_PER_CHUNK}") for query in queries.captured_queries[:3])
    rows = list(csv.reader(StringIO("".join([*first, *rest]))))[1:]
    assert [Decimal(row[4]) for row in rows] == list(range(1, count + 1))


def test_a_file_is_written_for_its_owner_alone(customer: BillingCustomer, tmp_path: Path) -> None:
    give(customer, 5, description="Grüße")
    target = tmp_path / "ledger.csv"

    export("--output", target)

    assert target.read_bytes().decode().count("\r\n") == 2
    assert "Grüße" in target.read_text(encoding="utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_that_exists_is_overwritten_by_force_only(customer: BillingCustomer, tmp_path: Path) -> None:
    give(customer, 5)
    target = tmp_path / "ledger.csv"
    target.write_text("mine")

    with pytest.raises(CommandError, match="--force overwrites it") as refusal:
        export("--output", target)
    assert (refusal.value.returncode, target.read_text()) == (2, "mine")

    export("--output", target, "--force")
    assert target.read_text().startswith('"customer"')


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as refusal:
        export("--output", tmp_path / "no such folder" / "ledger.csv")

    assert refusal.value.returncode == 2


@pytest.mark.parametrize(
    "arguments", [("--customer", "nobody@example.com"), ("--since", "soon"), ("--kind", "gift")], ids=str
)
def test_what_cannot_be_meant_is_an_error(arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        export(*arguments)


def test_other_sheets_are_chosen_by_name(customer: BillingCustomer) -> None:
    payment = buy(customer, 10)
    use(customer, 1)

    assert export("--what", "payments", "--customer", customer.public_id)[1][0] == payment.public_id
    assert export("--what", "usage")[0][0] == "usage"
    assert export("--what", "adjustments")[0][0] == "adjustment"


def test_a_workbook_is_written_to_a_file_only(customer: BillingCustomer, tmp_path: Path) -> None:
    give(customer, 5)
    target = tmp_path / "ledger.xlsx"

    with pytest.raises(CommandError, match="needs a file"):
        export("--format", "xlsx")
    export("--format", "xlsx", "--output", target)

    assert load_workbook(target).active.max_row == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_workbook_that_is_too_long_leaves_no_file(
    customer: BillingCustomer, tmp_path: Path, settings: Settings
) -> None:
    settings.EXPORT_XLSX_MAX_ROWS = 0
    give(customer, 5)

    with pytest.raises(CommandError, match="Take CSV") as refusal:
        export("--format", "xlsx", "--output", tmp_path / "ledger.xlsx")

    assert (refusal.value.returncode, list(tmp_path.iterdir())) == (2, [])


def test_kinds_are_for_entries_only() -> None:
    with pytest.raises(CommandError, match="payments have none"):
        export("--what", "payments", "--kind", "usage")


def test_every_export_is_written_down(customer: BillingCustomer) -> None:
    export("--customer", customer.public_id, "--kind", "usage")

    audit = AuditEntry.objects.get(action__endswith=".export")
    assert (audit.action, audit.actor, audit.reason) == ("ledger.export", None, "export_ledger")
    assert audit.after == {"customer": customer.public_id, "kinds": "['usage']", "format": "csv"}
