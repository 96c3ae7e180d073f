"""The books in the admin: trial balance, months, files, and who may see them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import AuditEntry
from billing.services import books_report
from billing.services.books_report import add_up_books, list_months, read_report
from billing.services.journal import BooksTotals
from billing.tasks import add_up_the_books
from billing.tests.books.shop import Shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_broker")]
NOVEMBER, DECEMBER = datetime(2026, 11, 3, 12, tzinfo=UTC), datetime(2026, 12, 3, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clean_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def shop() -> Iterator[Shop]:
    """November: $11.90 with tax, 50 credits free and 350 of 1,000 used. December: half of it refunded; yen come in."""
    with time_machine.travel(NOVEMBER, tick=True) as clock:
        shop = Shop()
        payment = shop.buy(1000, 1190, tax=190)
        shop.give(50)
        shop.use(350)
        clock.move_to(DECEMBER)
        shop.refund(payment, 595)
        Shop().buy(100, 5000, currency="jpy")
        yield shop


def tables_of(page: object) -> dict[str, list[list[str]]]:
    return {one.currency: one.trial_balance["rows"] for one in page.context["books"]}  # type: ignore[attr-defined]


def test_the_trial_balance_adds_up_in_each_currency(admin: Client, shop: Shop) -> None:
    page = admin.get(reverse("admin:billing_books"))

    tables = tables_of(page)
    assert list(tables) == ["JPY", "USD"]
    assert tables["JPY"][0] == ["Cash at Stripe", "¥5,000", "–", "¥5,000", "–"]
    assert tables["USD"] == [
        ["Cash at Stripe", "$11.90", "$5.95", "$5.95", "–"],
        ["Customer balance at Stripe", "–", "–", "–", "–"],
        ["Tax payable", "$0.95", "$1.90", "–", "$0.95"],
        ["Deferred revenue", "$8.00", "$10.00", "–", "$2.00"],
        ["Revenue", "–", "$3.00", "–", "$3.00"],
        ["Refunds of consumed credits", "–", "–", "–", "–"],
        ["Breakage", "–", "–", "–", "–"],
        ["Bad debt", "–", "–", "–", "–"],
        ["Sum", "$20.85", "$20.85", "$5.95", "$5.95"],
    ]


def test_the_trial_balance_at_the_end_of_a_month(admin: Client, shop: Shop) -> None:
    page = admin.get(reverse("admin:billing_books"), {"month": "2026-11"})

    assert "Books to the end of November 2026" in page.content.decode()
    assert tables_of(page)["USD"][0] == ["Cash at Stripe", "$11.90", "–", "$11.90", "–"]


def test_the_months_newest_first(admin: Client, shop: Shop) -> None:
    page = admin.get(reverse("admin:billing_books"))

    usd = page.context["books"][1].months["rows"]
    assert [row[2:] for row in usd] == [
        ["–", "$5.95", "−$0.95", "−$5.00", "$2.00", "–", "–", "–", "–", "–"],
        ["$11.90", "–", "$1.90", "$7.00", "$7.00", "$3.00", "–", "–", "–", "$0.05"],
    ]


def test_the_equation_holds_for_each_month(shop: Shop) -> None:
    for one in list_months(add_up_books().totals):
        money = one.collected_minor - one.given_back_minor
        assert money == one.earned_minor + one.breakage_minor + one.deferred_change_minor + one.tax_minor


def test_the_months_as_a_file(admin: Client, shop: Shop) -> None:
    answer = admin.get(reverse("admin:billing_books_months"))

    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert [(row["month"], row["currency"], row["collected"], row["deferred"]) for row in rows] == [
        ("2026-11", "usd", "11.90", "7.00"),
        ("2026-12", "jpy", "5000", "5000"),
        ("2026-12", "usd", "0.00", "2.00"),
    ]
    assert (rows[0]["promotion_cost"], rows[0]["promotional_credits"]) == ("0.05", "50.000000")
    assert AuditEntry.objects.filter(action="books.export").count() == 1


def test_the_journal_of_a_month_is_what_the_command_prints(admin: Client, shop: Shop) -> None:
    printed = StringIO()
    call_command("export_journal", "--month", "2026-11", stdout=printed, stderr=StringIO())

    answer = admin.get(reverse("admin:billing_books_journal", args=["2026-11"]))

    assert b"".join(answer.streaming_content).decode() == printed.getvalue()  # type: ignore[attr-defined]
    assert len(list(csv.DictReader(StringIO(printed.getvalue())))) == 5
    assert answer["Content-Disposition"] == 'attachment; filename="journal-2026-11.csv"'
    assert AuditEntry.objects.get(action="journal.export", actor__isnull=False).after == {"month": "2026-11"}


@pytest.mark.parametrize("asked", ["November", "2026-13", "0000-01", "9999-12"])
def test_a_month_that_is_none_is_not_found(admin: Client, asked: str) -> None:
    assert admin.get(reverse("admin:billing_books_journal", args=[asked])).status_code == 404
    assert admin.get(reverse("admin:billing_books"), {"month": asked}).status_code == 404


@pytest.mark.parametrize("page", ["books", "books_months", "books_journal"])
def test_only_those_with_the_right_see_the_books(page: str, shop: Shop) -> None:
    address = reverse(f"admin:billing_{page}", args=["2026-11"] if page == "books_journal" else [])
    for role, expected in (("Support", 403), ("Approver", 403), ("Finance", 200), ("Auditor", 200)):
        person = User.objects.create_user(f"{role}-{page}@staff.example.com", is_staff=True)
        person.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(person)

        assert client.get(address).status_code == expected


def test_nothing_can_be_sent(admin: Client) -> None:
    assert admin.post(reverse("admin:billing_books")).status_code == 405


def test_an_empty_ledger_has_empty_books(admin: Client) -> None:
    assert "Nothing was booked yet." in admin.get(reverse("admin:billing_books")).content.decode()


def test_rows_that_contradict_each_other_are_told(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*, now: datetime) -> None:
        raise RuntimeError("The grant 7 was drawn on before it came in.")

    monkeypatch.setattr("billing.admin.books.read_report", fail)

    page = admin.get(reverse("admin:billing_books")).content.decode()

    assert "reconcile_ledger says what is wrong." in page
    assert "The grant 7 was drawn on" in page


# Keeping the sums


def test_a_report_is_kept_for_some_minutes(shop: Shop) -> None:
    first = read_report(now=DECEMBER)
    assert first is not None

    shop.use(100)

    assert read_report(now=first.as_of) == first
    later = read_report(now=first.as_of + books_report.FRESH_FOR)
    assert later is not None
    assert later.totals != first.totals


def test_a_large_ledger_is_added_up_by_a_worker(admin: Client, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(books_report, "ENTRIES_WHILE_ONE_WAITS", 4)
    monkeypatch.setattr(books_report, "wake_task", lambda *, name: woken.append(name))

    for _ in range(2):
        page = admin.get(reverse("admin:billing_books")).content.decode()
        assert "The books are being added up by a worker." in page
        assert admin.get(reverse("admin:billing_books_months")).status_code == 404
    assert woken == ["billing.add_up_books"]

    add_up_the_books()
    assert "Trial balance" in admin.get(reverse("admin:billing_books")).content.decode()


def test_a_month_with_promotions_alone_is_a_month() -> None:
    with time_machine.travel(NOVEMBER):
        shop = Shop()
        shop.give(50)
        shop.use(20)

    (month,) = list_months(add_up_books().totals)

    assert (month.currency, month.collected_minor, month.promotion_cost_minor) == ("usd", 0, 2)
    assert list(list_months(BooksTotals())) == []
