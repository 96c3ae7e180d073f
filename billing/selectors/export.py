"""The ledger as CSV, row by row, for people who open it in a spreadsheet. Reads never lock."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC
from io import StringIO
from itertools import islice

from billing.kinds import CALLER_KEY_PREFIX
from billing.models import LedgerEntry
from billing.selectors.entries import EntryFilter, iterate_entries

COLUMNS = ("time_utc", "type", "description", "amount", "balance", "reference")
ROWS_PER_CHUNK = 500

# What makes a spreadsheet read a cell as a formula, also in its full-width form: OWASP ASVS 5.0, 1.2.10.
_FORMULA_STARTS = tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")


def stream_ledger_csv(*, entry_filter: EntryFilter) -> Iterator[str]:
    """The entries of a filter as CSV (RFC 4180), oldest first, in pieces and in constant memory.

    Times are UTC, amounts and balances exact decimals. Where the filter names no customer, a first column does.
    """
    columns = COLUMNS if entry_filter.customer_id is not None else ("customer", *COLUMNS)
    yield _write_rows([columns])
    entries = iterate_entries(entry_filter=entry_filter)
    while chunk := list(islice(entries, ROWS_PER_CHUNK)):
        yield _write_rows(_row_of(entry)[-len(columns) :] for entry in chunk)


def neutralise_formula(text: str) -> str:
    """`text` as a spreadsheet shows it without computing: an apostrophe goes before what could be a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def _row_of(entry: LedgerEntry) -> tuple[object, ...]:
    return (
        entry.customer.public_id,
        f"{entry.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        entry.kind,
        neutralise_formula(entry.description),
        entry.amount,
        entry.balance_after,
        neutralise_formula(_reference_of(entry)),
    )


def _reference_of(entry: LedgerEntry) -> str:
    """The payment or hold behind an entry, by the name that its customer knows; else the key of the request."""
    if entry.payment is not None:
        return entry.payment.public_id
    if entry.hold is not None:
        return entry.hold.public_id
    return entry.idempotency_key.removeprefix(CALLER_KEY_PREFIX)


def _write_rows(rows: Iterable[tuple[object, ...]]) -> str:
    """Texts in quotes, so that no separator of any country splits them; numbers without, so that they stay numbers."""
    piece = StringIO()
    csv.writer(piece, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return piece.getvalue()
