"""Recomputes the ledger from entries and allocations, and names whatever does not agree.

Each check is one query over all customers (or some) that gives the rows that break it: customer, entry, and what was
expected and found. They run in one read-only snapshot, so writes meanwhile cannot look like findings.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from billing.kinds import GRANT_PRIORITIES, RETURNS
from billing.ledger.verification_checks import statements_of


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold: for which customer, at which entry (where one can be named), and how."""

    check: str
    customer_id: int | None
    entry_id: int | None
    detail: str


def verify_ledger(*, customer_ids: Sequence[int] | None = None) -> Iterator[Finding]:
    """Findings of all checks, over all customers or those given. Nothing comes where the books are right."""
    parameters: dict[str, list[int] | list[str]] = {
        "customers": list(customer_ids or ()),
        "grant_kinds": [kind.value for kind in GRANT_PRIORITIES],
        "returns": [kind.value for kind in RETURNS],
    }
    with _snapshot(), connection.cursor() as cursor:
        for statement in statements_of(all_customers=customer_ids is None):
            cursor.execute(statement, parameters)
            for check, customer_id, entry_id, detail in cursor.fetchall():
                yield Finding(check, customer_id, entry_id, detail)


@contextmanager
def _snapshot() -> Iterator[None]:
    if connection.in_atomic_block:  # a caller's database transaction: it sees its own writes
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
