"""The journal as rows of a file: CSV for spreadsheets and bookkeeping, or one JSON document. In constant memory."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from io import StringIO
from itertools import islice

from billing.ledger.books_shapes import BookStep
from billing.money import exponent, major_units
from billing.selectors.export_cells import safe_cell
from billing.services.journal import Booked

COLUMNS = (
    "journal",
    "booked_at_utc",
    "occurred_at_utc",
    "customer",
    "payment",
    "kind",
    "reason",
    "account",
    "currency",
    "debit",
    "credit",
    "amount_minor",
)
ROWS_PER_PIECE = 500
Row = dict[str, str | int]


def rows_of(booked: Booked) -> Iterator[Row]:
    """The lines of a step. Those of one `journal` and `reason` add up to zero; `amount_minor` is debit - credit."""
    step = booked.booking.step
    for line in booked.booking.lines:
        payment = booked.payments[line.payment_id]
        amount = major_units(amount_minor=abs(line.amount_minor), currency=line.currency)
        exact = f"{amount:.{exponent(line.currency)}f}"
        yield {
            "journal": f"{booked.customer}.{step.sequence}" if step.sequence else f"{payment}.{step.movement_number}",
            "booked_at_utc": f"{step.booked_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "occurred_at_utc": f"{step.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "customer": booked.customer,
            "payment": payment,
            "kind": kind_of(step),
            "reason": line.reason.value,
            "account": line.account.value,
            "currency": line.currency,
            "debit": exact if line.amount_minor > 0 else "",
            "credit": exact if line.amount_minor < 0 else "",
            "amount_minor": line.amount_minor,
        }


def kind_of(step: BookStep) -> str:
    """The kind of the step's entry; `money` where money moved without one."""
    return step.kind.value if step.kind else "money"


def csv_pieces(rows: Iterable[Row]) -> Iterator[str]:
    """CSV (RFC 4180), amounts as exact decimals, in pieces."""
    yield _write_csv([COLUMNS])
    cells = (tuple(safe_cell(value) for value in row.values()) for row in rows)
    while chunk := list(islice(cells, ROWS_PER_PIECE)):
        yield _write_csv(chunk)


def json_pieces(rows: Iterable[Row]) -> Iterator[str]:
    """One JSON document with a list of `lines`, in pieces."""
    yield '{"object": "journal", "lines": ['
    separator = "\n"
    for row in rows:
        yield f"{separator}{json.dumps(row)}"
        separator = ",\n"
    yield "\n]}\n"


def _write_csv(rows: Iterable[tuple[object, ...]]) -> str:
    piece = StringIO()
    csv.writer(piece).writerows(rows)
    return piece.getvalue()
