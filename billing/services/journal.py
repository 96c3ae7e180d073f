"""The journal: reads what was written, customer after customer, and lets the books say what it means.

A line depends on all that came before it, so each customer is replayed from the first entry, also for one month; those
to whom nothing happened since are left out. Rows never change and a line is dated when its row was written, so the
lines of a time that is over are the same whenever they are asked for. Memory grows with the payments of one customer.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from billing.ledger.books import CustomerBooks
from billing.ledger.books_shapes import BookAccount, Booking, BookReason, JournalLine
from billing.ledger.books_totals import AccountTotals, BooksTotals, MonthTotals
from billing.models import BillingCustomer, CreditBalance, LedgerEntry, MoneyMovement, Payment
from billing.services.journal_steps import ENTRIES, interleave, read_movements, step_of

__all__ = [
    "AccountTotals",
    "BookAccount",
    "BookReason",
    "Booked",
    "BooksTotals",
    "JournalLine",
    "MonthTotals",
    "read_totals",
    "stream_bookings",
]

CUSTOMERS_AT_ONCE = 200
ROWS_AT_ONCE = 2_000

Progress = Callable[[int, int], None]
"""Is told how many entries were read, and of how many."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What a step booked, and the names of its customer and of the payments."""

    booking: Booking
    customer: str
    payments: Mapping[int, str]


def stream_bookings(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    customer_id: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Booked]:
    """What was booked from `since` to before `until`, by customer and in each customer's order. Changes nothing.

    Raises:
        RuntimeError: the rows contradict each other (`reconcile_ledger` says how).
    """
    chosen = _choose_balances(since=since, customer_id=customer_id)
    total = chosen.aggregate(entries=Sum("last_sequence"))["entries"] or 0
    done, last_id = 0, 0
    while True:
        sizes = dict(chosen.filter(pk__gt=last_id).values_list("pk", "last_sequence")[:CUSTOMERS_AT_ONCE])
        if not sizes:
            return
        with _snapshot():
            yield from _replay(list(sizes), since=since, until=until)
        done, last_id = done + sum(sizes.values()), max(sizes)
        if progress:
            progress(done, total)


def read_totals(*, until: datetime | None = None, progress: Progress | None = None) -> BooksTotals:
    """All that was ever booked (before `until`), added up by month and currency."""
    totals = BooksTotals()
    for booked in stream_bookings(until=until, progress=progress):
        totals.add(booked.booking)
    return totals


def _choose_balances(*, since: datetime | None, customer_id: int | None) -> QuerySet[CreditBalance]:
    """The customers to whom anything happened since, by ascending id."""
    balances = CreditBalance.objects.order_by("pk")
    if customer_id is not None:
        balances = balances.filter(pk=customer_id)
    if since is not None:
        last_entry = LedgerEntry.objects.filter(
            customer_id=OuterRef("pk"), sequence=OuterRef("last_sequence"), created_at__gte=since
        )
        movement = MoneyMovement.objects.filter(payment__customer_id=OuterRef("pk"), created_at__gte=since)
        balances = balances.filter(Q(Exists(last_entry)) | Q(Exists(movement)))
    return balances


def _replay(customer_ids: list[int], *, since: datetime | None, until: datetime | None) -> Iterator[Booked]:
    names = dict(BillingCustomer.objects.filter(pk__in=customer_ids).values_list("pk", "public_id"))
    payments = Payment.objects.filter(customer_id__in=customer_ids).order_by()
    public_ids: dict[int, dict[int, str]] = {customer_id: {} for customer_id in customer_ids}
    for customer_id, pk, public_id in payments.values_list("customer_id", "pk", "public_id").iterator():
        public_ids[customer_id][pk] = public_id
    entries, movements = _read_entries(customer_ids), read_movements(customer_ids=customer_ids)
    rows_of = groupby(entries, key=lambda row: row[0])
    next_id, rows = next(rows_of, (0, iter(())))
    for wanted in sorted(customer_ids):
        own_rows: Iterator[tuple[Any, ...]] = rows if wanted == next_id else iter(())
        books = CustomerBooks()
        entry_steps = (step_of(list(group)) for _, group in groupby(own_rows, key=lambda row: row[1]))
        for step in interleave(customer_id=wanted, steps=entry_steps, movements=movements.pop(wanted, [])):
            if until is not None and step.booked_at >= until:
                break
            booking = books.book(step)
            if (booking.lines or booking.promotional_credits) and (since is None or step.booked_at >= since):
                yield Booked(booking, names[wanted], public_ids[wanted])
        if wanted == next_id:
            next_id, rows = next(rows_of, (0, iter(())))


def _read_entries(customer_ids: list[int]) -> Iterator[tuple[Any, ...]]:
    """Entries with their grant and the allocations they caused, in order, through a cursor of the server."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(ENTRIES, {"customers": customer_ids})
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows


@contextmanager
def _snapshot() -> Iterator[None]:
    """One state of all tables, and a database transaction for the cursor to live in."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
