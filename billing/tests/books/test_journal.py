"""The journal as it is read from the database and written to files."""

import csv
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.kinds import AllocationKind, EntryKind
from billing.ledger.books import CustomerBooks
from billing.ledger.books_shapes import AllocationRow, BookStep, MoneyRow
from billing.models import AuditEntry
from billing.services import journal, journal_rows
from billing.services.journal import read_totals, stream_bookings
from billing.services.journal_steps import Movement, interleave
from billing.tests.books.shop import Shop

NOVEMBER = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOVEMBER, tick=True) as traveller:
        yield traveller


@pytest.fixture
def shop(db: None, clock: time_machine.Traveller) -> Shop:
    return Shop()


def export(*arguments: object) -> tuple[list[dict[str, str]], str]:
    """The rows of the file, and what was said beside it."""
    out, said = StringIO(), StringIO()
    call_command("export_journal", *map(str, arguments), stdout=out, stderr=said)
    return list(csv.DictReader(StringIO(out.getvalue()))), said.getvalue()


# Reading


def test_a_refund_of_used_credits_and_the_next_purchase(shop: Shop) -> None:
    payment = shop.buy(1000, 1000)
    shop.use(900)
    shop.refund(payment, 1000)
    assert shop.balances() == {"revenue": -900, "refunds_of_consumed_credits": 900}

    shop.buy(1000, 1000)

    assert shop.balances() == {
        "cash_at_stripe": 1000,
        "deferred_revenue": -100,
        "revenue": -1800,
        "refunds_of_consumed_credits": 900,
    }


def test_a_debt_that_is_written_off_and_whose_refund_fails(shop: Shop) -> None:
    payment = shop.buy(1000, 1000)
    shop.use(900)
    refund = shop.refund(payment, 1000)
    shop.write_off(900)
    assert shop.balances() == {"revenue": -900, "bad_debt": 900}

    shop.refund(payment, 1000, refund_id=refund, is_dead=True)

    assert shop.balances() == {"cash_at_stripe": 1000, "deferred_revenue": -100, "revenue": -900}
    assert shop.posted() == 100


def test_six_partial_refunds_leave_nothing(shop: Shop) -> None:
    payment = shop.buy(1000, 61)
    shop.use(700)

    for cents in (32, 9, 8, 3, 6, 3):
        shop.refund(payment, cents)

    assert shop.posted() == -700
    assert shop.balances() == {"revenue": -43, "refunds_of_consumed_credits": 43}


def test_a_dispute_that_is_reinstated_leaves_the_books_as_they_were(shop: Shop) -> None:
    payment = shop.buy(1000, 1190, tax=190)
    shop.use(300)
    before = shop.balances()

    shop.dispute(payment, 1190, times=1)
    assert shop.balances() == {"revenue": -300, "refunds_of_consumed_credits": 300}
    shop.dispute(payment, 1190, times=2)

    assert shop.balances() == before


def test_money_that_bought_nothing_yet_is_owed(shop: Shop) -> None:
    payment = shop.buy(1000, 900, is_understood=False)
    assert shop.balances() == {"cash_at_stripe": 900, "deferred_revenue": -900}

    shop.understand(payment)
    shop.use(1000)

    assert shop.balances() == {"cash_at_stripe": 900, "revenue": -900}


def test_expired_credits_are_breakage(shop: Shop, clock: time_machine.Traveller) -> None:
    shop.buy(1000, 1000, days=10)
    shop.use(250)
    clock.move_to(NOVEMBER + timedelta(days=11))
    shop.give(1)  # every write first expires what has lapsed

    assert shop.balances() == {"cash_at_stripe": 1000, "revenue": -250, "breakage": -750}


@pytest.mark.parametrize("entries", [1, 3, 4, 2000])
def test_customers_come_in_order_and_in_pieces(entries: int, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CUSTOMERS_AT_ONCE", 2)
    monkeypatch.setattr(journal_rows, "ENTRIES_AT_ONCE", entries)
    shops = [shop, *(Shop() for _ in range(4))]
    for number, one in enumerate(reversed(shops)):
        one.buy(10, 100 + number)
        one.use(5)
    progress: list[tuple[int, int]] = []

    booked = list(stream_bookings(progress=lambda done, total: progress.append((done, total))))

    assert [one.customer for one in booked] == [one.customer.public_id for one in shops for _ in range(2)]
    assert [one.booking for one in booked] == [booking for one in shops for booking in one.bookings()]
    assert progress == [(4, 10), (8, 10), (10, 10)]


def test_statements_do_not_grow_with_entries(shop: Shop) -> None:
    other = Shop()

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert list(stream_bookings())
        return len(queries)

    shop.buy(1000, 1000)
    other.buy(1000, 1000)
    before = count()
    for _ in range(10):
        shop.use(1)
        other.use(1)

    assert count() == before


def test_a_customer_without_any_entry_is_passed_over(shop: Shop) -> None:
    Shop()
    other = Shop()
    other.give(10)

    assert list(stream_bookings()) == []


def test_totals_by_month_and_currency(shop: Shop, clock: time_machine.Traveller) -> None:
    payment = shop.buy(1000, 1190, tax=190)
    shop.give(50)
    shop.use(350)
    clock.move_to(datetime(2026, 12, 1, tzinfo=UTC))
    shop.refund(payment, 595)
    Shop().buy(100, 5000, currency="jpy")

    totals = read_totals()

    assert [(f"{month:%Y-%m}", currency) for month, currency, _ in totals.by_month()] == [
        ("2026-11", "usd"),
        ("2026-12", "jpy"),
        ("2026-12", "usd"),
    ]
    months = {(f"{month:%Y-%m}", currency): one for month, currency, one in totals.by_month()}
    assert (months["2026-11", "usd"].collected_minor, months["2026-11", "usd"].given_back_minor) == (1190, 0)
    assert (months["2026-12", "usd"].collected_minor, months["2026-12", "usd"].given_back_minor) == (0, 595)
    assert months["2026-12", "usd"].credited(journal.BookAccount.TAX) == -95
    assert {f"{month:%Y-%m}": used for month, used in totals.promotional_credits.items()} == {"2026-11": Decimal(50)}
    assert totals.currencies() == ["jpy", "usd"]


def test_a_grant_that_never_came_in_stops_the_books() -> None:
    row = AllocationRow(
        entry_id=1,
        entry_kind=EntryKind.USAGE,
        entry_payment_id=None,
        grant_id=77,
        amount=Decimal(1),
        kind=AllocationKind.DRAW,
    )
    step = BookStep(customer_id=1, occurred_at=NOVEMBER, booked_at=NOVEMBER, sequence=1, entry_id=1, allocations=(row,))

    with pytest.raises(RuntimeError, match="grant 77 was drawn on before it came in"):
        CustomerBooks().book(step)


# The order of steps


def money(number: int, *, second: int, entry_id: int | None = None) -> Movement:
    row = MoneyRow(payment_id=1, currency="usd", collected_minor=100, tax_minor=0, given_back_minor=number)
    moment = NOVEMBER + timedelta(seconds=second)
    return Movement(entry_id=entry_id, number=number, money=row, occurred_at=moment, created_at=moment)


def entry(sequence: int, *, second: int) -> BookStep:
    moment = NOVEMBER + timedelta(seconds=second)
    return BookStep(customer_id=1, occurred_at=moment, booked_at=moment, sequence=sequence, entry_id=sequence)


def order(steps: list[BookStep], movements: list[Movement]) -> list[tuple[int, tuple[int, ...], int]]:
    """(sequence, numbers of movements, second when it was booked) of each step."""
    return [
        (
            step.sequence,
            tuple(row.given_back_minor for row in step.movements),
            int((step.booked_at - NOVEMBER).total_seconds()),
        )
        for step in interleave(customer_id=1, steps=iter(steps), movements=movements)
    ]


def test_money_without_an_entry_goes_before_the_first_entry_written_later() -> None:
    steps = [entry(1, second=1), entry(2, second=2), entry(3, second=5)]
    movements = [money(1, second=1, entry_id=1), money(2, second=2), money(3, second=3), money(4, second=9)]

    assert order(steps, movements) == [(1, (1,), 1), (2, (), 2), (0, (2,), 2), (0, (3,), 3), (3, (), 5), (0, (4,), 9)]


def test_movements_of_a_payment_keep_their_order_within_one_moment() -> None:
    assert order([entry(1, second=1)], [money(1, second=1), money(2, second=1, entry_id=1)]) == [
        (0, (1,), 1),
        (1, (2,), 1),
    ]


def test_a_clock_that_was_set_back_does_not_change_what_was_booked_before() -> None:
    steps = [entry(1, second=10), entry(2, second=4), entry(3, second=12)]

    assert order(steps, [money(1, second=11)]) == [(1, (), 10), (2, (), 10), (0, (1,), 11), (3, (), 12)]
    assert order(steps[:1], [money(1, second=4)]) == [(0, (1,), 4), (1, (), 10)]
    assert order([], [money(1, second=5), money(2, second=4)]) == [(0, (1,), 5), (0, (2,), 5)]


# Files


def test_the_lines_of_a_month(shop: Shop, clock: time_machine.Traveller) -> None:
    payment = shop.buy(1000, 1190, tax=190)
    clock.move_to(datetime(2026, 12, 1, tzinfo=UTC))
    shop.use(400)
    clock.move_to(datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC))
    shop.use(100)

    rows, said = export("--month", "2026-12")

    assert rows == [
        {
            "journal": f"{shop.customer.public_id}.2",
            "booked_at_utc": "2026-12-01 00:00:00",
            "occurred_at_utc": "2026-12-01 00:00:00",
            "customer": shop.customer.public_id,
            "payment": payment.public_id,
            "kind": "usage",
            "reason": "credits",
            "account": account,
            "currency": "usd",
            "debit": debit,
            "credit": credit,
            "amount_minor": minor,
        }
        for account, debit, credit, minor in (("deferred_revenue", "4.00", "", "400"), ("revenue", "", "4.00", "-400"))
    ]
    assert said == "USD: debits $4.00, credits $4.00\n"
    assert [row["account"] for row in export("--month", "2026-11")[0]] == [
        "cash_at_stripe",
        "tax_payable",
        "deferred_revenue",
    ]
    assert len(export()[0]) == len(export("--until", "2028-01-01")[0]) == 7
    assert len(export("--since", "2026-12-01T00:00:01+00:00")[0]) == 2


def test_a_period_that_is_not_over_says_so(shop: Shop) -> None:
    shop.buy(10, 10)

    assert "This period is not over: more lines may come." in export("--month", "2026-11")[1]


def test_money_without_an_entry_has_the_payments_name(shop: Shop) -> None:
    payment = shop.buy(1000, 5, currency="kwd", is_understood=False)

    rows, _ = export()

    assert {(row["journal"], row["kind"]) for row in rows} == {(f"{payment.public_id}.1", "money")}
    assert [(row["debit"], row["credit"]) for row in rows] == [("0.005", ""), ("", "0.005")]


def test_the_same_lines_as_json(shop: Shop) -> None:
    shop.buy(10, 10)
    out = StringIO()

    call_command("export_journal", "--json", stdout=out, stderr=StringIO())

    answer = json.loads(out.getvalue())
    assert answer["object"] == "journal"
    assert [{name: str(value) for name, value in line.items()} for line in answer["lines"]] == export()[0]


def test_a_journal_without_lines_is_a_whole_document(db: None) -> None:
    out = StringIO()

    call_command("export_journal", "--json", stdout=out, stderr=StringIO())

    assert json.loads(out.getvalue()) == {"object": "journal", "lines": []}


def test_only_one_customer(shop: Shop) -> None:
    shop.buy(10, 10)
    other = Shop()
    other.buy(20, 20)

    rows, _ = export("--customer", other.customer.public_id)

    assert {row["customer"] for row in rows} == {other.customer.public_id}


def test_a_file_is_written_for_its_owner_alone_and_the_export_is_audited(shop: Shop, tmp_path: Path) -> None:
    shop.buy(10, 10)
    target = tmp_path / "journal.csv"

    export("--output", target, "--month", "2026-11")

    assert len(list(csv.DictReader(StringIO(target.read_text())))) == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    audited = AuditEntry.objects.get(action="journal.export")
    assert audited.after["since"].startswith("2026-11-01")


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--month", "November"),
        ("--month", "2026-13"),
        ("--month", "9999-12"),
        ("--month", "2026-11", "--since", "2026-11-02"),
        ("--since", "2026-11-02", "--until", "2026-11-02"),
        ("--customer", "nobody@example.com"),
        ("--output", "/no such folder/journal.csv"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_an_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        export(*arguments)


def test_a_file_that_exists_is_overwritten_by_force_only(shop: Shop, tmp_path: Path) -> None:
    target = tmp_path / "journal.csv"
    target.write_text("mine")

    with pytest.raises(CommandError, match="--force overwrites it") as refusal:
        export("--output", target)
    assert (refusal.value.returncode, target.read_text()) == (2, "mine")
    export("--output", target, "--force")
    assert target.read_text().startswith("journal,")


def test_december_ends_with_the_year(shop: Shop, clock: time_machine.Traveller) -> None:
    clock.move_to(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    shop.buy(10, 10)

    assert len(export("--month", "2026-12")[0]) == 2
    assert timezone.now() < datetime(2027, 1, 1, 1, tzinfo=UTC)
