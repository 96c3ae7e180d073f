"""The journal: reads what was written, customer after customer, and lets the books say what it means.

A line depends on all that came before it, so each customer is replayed from the first entry, also for one month; those
to whom nothing happened since are left out. Rows never change and a line is dated when its row was written, so the
lines of a time that is over are the same whenever they are asked for. Memory grows with the payments of one customer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from billing.ledger.books import CustomerBooks
from billing.ledger.books_shapes import BookAccount, Booking, BookReason, JournalLine
from billing.ledger.books_totals import AccountTotals, BooksTotals, MonthTotals
from billing.models import CreditBalance, LedgerEntry, MoneyMovement, PlanMovement
from billing.services.journal_rows import read_movements, read_names, read_steps
from billing.services.journal_steps import interleave

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
        yield from _replay(sizes, since=since, until=until)
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
        of_plan = PlanMovement.objects.filter(period__customer_id=OuterRef("pk"), created_at__gte=since)
        balances = balances.filter(Q(Exists(last_entry)) | Q(Exists(movement)) | Q(Exists(of_plan)))
    return balances


def _replay(sizes: Mapping[int, int], *, since: datetime | None, until: datetime | None) -> Iterator[Booked]:
    customer_ids = list(sizes)
    names, payments = read_names(customer_ids=customer_ids)
    movements = read_movements(customer_ids=customer_ids)
    for customer_id, entry_steps in read_steps(sizes=sizes):
        books = CustomerBooks()
        steps = interleave(customer_id=customer_id, steps=entry_steps, movements=movements[customer_id])
        for step in steps:
            if until is not None and step.booked_at >= until:
                break
            booking = books.book(step)
            if (booking.lines or booking.promotional_credits) and (since is None or step.booked_at >= since):
                yield Booked(booking, names[customer_id], payments[customer_id])
