"""The calls themselves: a page of them, one of them, all of them for a file. Reads only."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db.models import Prefetch, Q, QuerySet

from billing.models import LedgerEntry
from billing.selectors.export import ROWS_PER_CHUNK, iterate_rows, write_rows
from billing.selectors.export_cells import Cell
from billing.selectors.export_sheets import Sheet
from usage.models import CorrectedUsage, UsageEvent
from usage.selectors.usage_filter import CALL, CORRECTION, DIRECT, UsageFilter, choose_calls, choose_entries

_RELATED: Final = ("api_key", "price", "operation_price", "entry", "hold")
_CORRECTIONS: Final = Prefetch("corrections", CorrectedUsage.objects.select_related("entry").order_by("pk"))
_ENTRY_RELATED: Final = (
    *(
        "usage_event",
        "usage_event__price",
        "usage_event__operation_price",
        "usage_event__api_key",
        "usage_event__entry",
    ),
    *("corrected_usage", "corrected_usage__usage_event", "corrected_usage__usage_event__api_key", "hold"),
)
COLUMNS: Final = (
    *("time_utc", "type", "model", "operation", "quantity", "api_key", "input_tokens", "cached_tokens"),
    *("output_tokens", "estimated_credits", "held_credits", "credits", "basis", "status", "failure", "latency_ms"),
    *("price_from_utc", "call", "ledger_entry", "description"),
)
TYPES: Final = {CALL: "call", DIRECT: "direct debit", CORRECTION: "correction"}
_Timed = tuple[Any, int, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls, the newest first; `next_before` names where the next page goes on, None on the last."""

    calls: list[UsageEvent]
    next_before: str | None


def page_of_calls(*, chosen: UsageFilter, before: UsageEvent | None, limit: int) -> CallPage:
    """One page of the filter's calls, by a constant number of queries however many there are."""
    rows = choose_calls(chosen)
    if before is not None:
        at = before.occurred_at
        rows = rows.filter(Q(occurred_at__lt=at) | Q(occurred_at=at, pk__lt=before.pk), occurred_at__lte=at)
    found = list(_complete(rows).order_by("-occurred_at", "-pk")[: limit + 1])
    return CallPage(found[:limit], found[limit - 1].public_id if len(found) > limit else None)


def find_call(*, customer_id: int, public_id: str) -> UsageEvent | None:
    """The customer's call of that id, with what charged and corrected it."""
    return _complete(UsageEvent.objects.filter(customer_id=customer_id, public_id=public_id)).first()


def find_usage_entry(*, customer_id: int, sequence: int) -> LedgerEntry | None:
    """The customer's entry of usage with that number, with the call behind it, if there is one."""
    rows = LedgerEntry.objects.filter(customer_id=customer_id, sequence=sequence)
    return rows.filter(kind__in=("usage", "usage_correction")).select_related(*_ENTRY_RELATED).first()


def stream_usage_csv(*, chosen: UsageFilter) -> Iterator[str]:
    """The filter's usage as CSV, oldest first: what was charged, entry by entry, and the calls that cost nothing.

    The column `credits` adds up to the sum that the page shows. Constant memory, times in UTC, numbers exact.
    """
    yield write_rows([COLUMNS])
    rows = (cells for _, _, cells in heapq.merge(_charged(chosen), _not_charged(chosen), key=lambda row: row[:2]))
    while chunk := list(islice(rows, ROWS_PER_CHUNK)):
        yield write_rows(chunk)


def _complete(rows: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
    return rows.select_related(*_RELATED).prefetch_related(_CORRECTIONS)


def _charged(chosen: UsageFilter) -> Iterator[_Timed]:
    if chosen.outcome == "not_charged":
        return
    rows = iterate_rows(sheet=_ENTRIES, rows=choose_entries(chosen))
    yield from ((entry.created_at, 0, _ENTRIES.cells(entry)) for entry in rows)


def _not_charged(chosen: UsageFilter) -> Iterator[_Timed]:
    if chosen.outcome == "charged":
        return
    rows = iterate_rows(sheet=_CALLS, rows=choose_calls(chosen).filter(entry__isnull=True))
    yield from ((call.occurred_at, 1, _CALLS.cells(call)) for call in rows)


def _entry_cells(entry: Any) -> tuple[Cell, ...]:
    call: UsageEvent | None = getattr(entry, "usage_event", None)
    if call is not None:
        return _call_cells(call, sort=TYPES[CALL], credits=-entry.amount, entry=entry)
    corrected: CorrectedUsage | None = getattr(entry, "corrected_usage", None)
    of = corrected.usage_event if corrected else None
    return (
        *(entry.occurred_at, TYPES[entry.sort], of.model if of else "", of.operation if of else "", None),
        *(entry.by_key, None, None, None, None, entry.hold.amount if entry.hold else None, -entry.amount),
        *("", "", "", None, None, of.public_id if of else "", entry.sequence, entry.description),
    )


def _call_cells(
    call: UsageEvent,
    *,
    sort: str = "not charged",
    credits: Decimal = Decimal(0),
    entry: LedgerEntry | None = None,
) -> tuple[Cell, ...]:
    price = call.price or call.operation_price
    return (
        *(entry.occurred_at if entry else call.occurred_at, sort, call.model, call.operation, call.quantity),
        *(call.api_key.key_id if call.api_key else "", call.input_tokens, call.cached_tokens, call.output_tokens),
        *(call.estimated_credits, call.held_credits, credits, call.basis, call.status, call.failure, call.latency_ms),
        *(price.effective_from if price else None, call.public_id, entry.sequence if entry else None),
        entry.description if entry else "",
    )


_ENTRIES: Final = Sheet(
    name="usage-charged",
    model=LedgerEntry,
    columns=COLUMNS,
    cells=_entry_cells,
    related=_ENTRY_RELATED,
    key=("customer_id", "sequence"),
)
_CALLS: Final = Sheet(
    name="usage-not-charged",
    model=UsageEvent,
    columns=COLUMNS,
    cells=_call_cells,
    related=("api_key", "price", "operation_price"),
    key=("occurred_at", "pk"),
)
