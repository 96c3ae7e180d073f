"""Verification: whoever tampers with a row is found, by check, customer and entry."""

import pytest
from django.db import connection

from billing.ledger.verification import verify_ledger
from billing.ledger.verification_checks import CHECKS
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import give
from billing.tests.ledger.tampering import (
    OTHER_TAMPERINGS,
    TAMPERINGS,
    Books,
    Tampering,
    make_books,
    set_balance,
    triggers_off,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(db: None) -> Books:
    return make_books()


def test_every_check_has_a_tampering_that_it_finds() -> None:
    assert set(TAMPERINGS) == set(CHECKS)


def test_books_that_nobody_touched_are_clean(books: Books) -> None:
    assert list(verify_ledger()) == []
    assert list(verify_ledger(customer_ids=[books.customer.pk])) == []


@pytest.mark.parametrize(
    ("check", "tamper"),
    [*TAMPERINGS.items(), *OTHER_TAMPERINGS],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_tampering_is_found_with_customer_and_entry(books: Books, check: str, tamper: Tampering) -> None:
    with triggers_off():
        entry = tamper(books)

    for findings in (list(verify_ledger()), list(verify_ledger(customer_ids=[books.customer.pk]))):
        named = [finding for finding in findings if finding.check == check]
        assert {finding.customer_id for finding in named} == {books.customer.pk}
        if entry is not None:
            assert named[0].entry_id == entry.pk


def test_findings_of_one_customer_are_not_anothers(books: Books) -> None:
    set_balance(books, "posted = posted + 1")

    assert list(verify_ledger(customer_ids=[books.other.pk])) == []


def test_no_customers_are_not_all_customers(books: Books) -> None:
    set_balance(books, "posted = posted + 1")

    assert list(verify_ledger(customer_ids=[])) == []


@pytest.mark.django_db(transaction=True)
def test_outside_a_database_transaction_one_snapshot_is_read() -> None:
    customer = make_customer()
    give(customer, 5)

    with connection.execute_wrapper(_refuse_writes):
        assert list(verify_ledger()) == []


def _refuse_writes(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
    assert sql.lstrip().startswith(("SELECT", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    return execute(sql, params, many, context)
