"""The lines of a customer's ledger. Reads never lock."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from billing.models import LedgerEntry
from billing.money import ZERO


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries are meant: of one customer or (None) of all.

    `since` is inclusive, `until` exclusive, both on when it happened.
    """

    customer_id: int | None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def matching(self) -> QuerySet[LedgerEntry]:
        chosen = LedgerEntry.objects.all()
        if self.customer_id is not None:
            chosen = chosen.filter(customer_id=self.customer_id)
        if self.kinds:
            chosen = chosen.filter(kind__in=self.kinds)
        if self.since:
            chosen = chosen.filter(occurred_at__gte=self.since)
        if self.until:
            chosen = chosen.filter(occurred_at__lt=self.until)
        return chosen


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries, newest first; `next_before_sequence` names where the next page goes on, None on the last."""

    entries: list[LedgerEntry]
    next_before_sequence: int | None


@dataclass(frozen=True, slots=True)
class EntrySums:
    """What came in and what went out (zero or negative) of the entries of a filter."""

    credits_in: Decimal
    credits_out: Decimal


def page_of_entries(
    *,
    customer_id: int,
    kinds: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    before_sequence: int | None = None,
    limit: int = 25,
) -> EntryPage:
    """One page of a customer's entries, newest first, by one query however long the ledger is."""
    chosen = EntryFilter(customer_id, tuple(kinds), since, until).matching()
    if before_sequence is not None:
        chosen = chosen.filter(sequence__lt=before_sequence)
    rows = list(chosen.select_related("payment", "hold").order_by("-sequence")[: limit + 1])
    entries = rows[:limit]
    return EntryPage(entries, entries[-1].sequence if len(rows) > limit else None)


def newest_entries_of(
    *, entries: QuerySet[LedgerEntry], after: int | None, before: int | None, limit: int
) -> tuple[list[LedgerEntry], bool]:
    """Up to `limit` of one customer's entries, newest first, and whether more follow in the direction of reading.

    With `after` those older than that sequence; with `before` those just newer than that one.
    """
    if before is not None:
        newer = list(entries.filter(sequence__gt=before).order_by("sequence")[: limit + 1])
        return newer[:limit][::-1], len(newer) > limit
    chosen = entries if after is None else entries.filter(sequence__lt=after)
    rows = list(chosen.order_by("-sequence")[: limit + 1])
    return rows[:limit], len(rows) > limit


def sum_entries(*, entry_filter: EntryFilter) -> EntrySums:
    """What came in and went out by the entries of a filter. Reads them all: show it where a filter is set."""
    sums = entry_filter.matching().aggregate(
        credits_in=Sum("amount", filter=Q(amount__gt=0)), credits_out=Sum("amount", filter=Q(amount__lt=0))
    )
    return EntrySums(sums["credits_in"] or ZERO, sums["credits_out"] or ZERO)
