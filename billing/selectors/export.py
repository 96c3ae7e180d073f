"""Rows as CSV, piece by piece, for people who open it in a spreadsheet. Reads never lock.

Each piece is a short statement that goes on after the last row's key (docs/decisions/0006-exports-by-key.md), so that
neither memory nor the length of a statement grows with the table. Rows that come in meanwhile may be in it or not.
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from billing.selectors.entries import EntryFilter
from billing.selectors.export_cells import Cell, neutralise_formula, safe_cell
from billing.selectors.export_sheets import CUSTOMER_LEDGER, LEDGER, Sheet

__all__ = ["ROWS_PER_CHUNK", "iterate_rows", "neutralise_formula", "stream_csv", "stream_ledger_csv", "write_rows"]

ROWS_PER_CHUNK = 500


def stream_ledger_csv(*, entry_filter: EntryFilter) -> Iterator[str]:
    """The entries of a filter as CSV, oldest first. Where the filter names no customer, a first column does."""
    sheet = LEDGER if entry_filter.customer_id is None else CUSTOMER_LEDGER
    return stream_csv(sheet=sheet, rows=entry_filter.matching())


def stream_csv(*, sheet: Sheet, rows: QuerySet[Any]) -> Iterator[str]:
    """These rows of a sheet as CSV (RFC 4180), in pieces and in constant memory. Times are UTC, numbers exact."""
    yield write_rows([sheet.columns])
    cells = (sheet.cells(row) for row in iterate_rows(sheet=sheet, rows=rows))
    while chunk := list(islice(cells, ROWS_PER_CHUNK)):
        yield write_rows(chunk)


def iterate_rows(*, sheet: Sheet, rows: QuerySet[Any]) -> Iterator[Any]:
    """The rows in the order of the sheet's key, whatever their own order was."""
    ordered = rows.order_by(*sheet.key).select_related(*sheet.related)
    page = list(ordered[:ROWS_PER_CHUNK])
    while page:
        yield from page
        page = _rows_after(page[-1], ordered=ordered, key=sheet.key) if len(page) == ROWS_PER_CHUNK else []


def _rows_after(last: Any, *, ordered: QuerySet[Any], key: tuple[str, ...]) -> list[Any]:
    """The next rows: first those that share all but the last column of the key, each part by the key's index."""
    *leading, final = key
    same = {name: getattr(last, name) for name in leading}
    page = list(ordered.filter(**same, **{f"{final}__gt": getattr(last, final)})[:ROWS_PER_CHUNK])
    if leading and len(page) < ROWS_PER_CHUNK:
        (group,) = leading
        page += ordered.filter(**{f"{group}__gt": getattr(last, group)})[: ROWS_PER_CHUNK - len(page)]
    return page


def write_rows(rows: Iterable[tuple[Cell, ...]]) -> str:
    """Texts in quotes, so that no separator of any country splits them; numbers without, so that they stay numbers."""
    piece = StringIO()
    csv.writer(piece, quoting=csv.QUOTE_NONNUMERIC).writerows([safe_cell(cell) for cell in row] for row in rows)
    return piece.getvalue()
