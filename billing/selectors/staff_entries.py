"""Entries of all customers, for staff. Reads never lock."""

from billing.models import LedgerEntry
from billing.selectors.entries import EntryFilter


def newest_entries(
    *, entry_filter: EntryFilter, after: LedgerEntry | None, limit: int
) -> tuple[list[LedgerEntry], bool]:
    """Up to `limit` entries, newest first, those before `after` if it is given; and whether there are more.

    Of one customer by its sequence, of all in the order in which they were recorded: both have an index.
    """
    chosen = entry_filter.matching().select_related("customer", "payment", "hold")
    if entry_filter.customer_id is None:
        chosen = (chosen.filter(pk__lt=after.pk) if after else chosen).order_by("-pk")
    else:
        chosen = (chosen.filter(sequence__lt=after.sequence) if after else chosen).order_by("-sequence")
    rows = list(chosen[: limit + 1])
    return rows[:limit], len(rows) > limit
