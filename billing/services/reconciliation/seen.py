"""What a run has seen at Stripe, in temporary tables of its database session: the process's memory stays constant.

They are what lets the other direction, ours that is not there, be one query a page instead of one call an object.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

_CREATE = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS reconciliation_seen"
    " (id text PRIMARY KEY, payment_id bigint, happened_at timestamptz)",
    "CREATE TEMPORARY TABLE IF NOT EXISTS reconciliation_found (finding_id bigint PRIMARY KEY)",
    "TRUNCATE reconciliation_seen, reconciliation_found",
)
_DROP = "DROP TABLE IF EXISTS reconciliation_seen, reconciliation_found"
_REMEMBER = """
    INSERT INTO reconciliation_seen (id, payment_id, happened_at)
    SELECT * FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[])
    ON CONFLICT (id) DO UPDATE SET payment_id = coalesce(reconciliation_seen.payment_id, excluded.payment_id),
        happened_at = coalesce(reconciliation_seen.happened_at, excluded.happened_at)
"""


@contextmanager
def remembering() -> Iterator[None]:
    """Inside it, the functions of this module remember and answer."""
    with connection.cursor() as cursor:
        for statement in _CREATE:
            cursor.execute(statement)
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(_DROP)


def remember_seen(rows: Iterable[tuple[str, int | None, datetime | None]]) -> None:
    """Ids that Stripe has, each with the payment of ours that it belongs to and when its money moved, where known."""
    known = {one[0]: one for one in rows if one[0]}
    if not known:
        return
    columns = list(zip(*known.values(), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [list(column) for column in columns])


def payments_seen(ids: Sequence[str]) -> dict[str, int | None]:
    """Of these ids those that were seen, with the payment of ours that each belongs to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, payment_id FROM reconciliation_seen WHERE id = ANY(%s)", [list(ids)])
        return dict(cursor.fetchall())


def times_seen(ids: Sequence[str]) -> dict[str, datetime]:
    """Of these ids those whose money is known to have moved, and when."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, happened_at FROM reconciliation_seen WHERE id = ANY(%s) AND happened_at IS NOT NULL",
            [list(ids)],
        )
        return dict(cursor.fetchall())


def remember_names(names: Iterable[str]) -> list[str]:
    """Of these names those that were not remembered before, in the order given; all are from now on."""
    listed = list(names)
    if not listed:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reconciliation_seen (id) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING RETURNING id",
            [listed],
        )
        new = {row[0] for row in cursor.fetchall()}
    return [name for name in listed if name in new]


def remember_findings(finding_ids: Sequence[int]) -> list[int]:
    """Count findings among this run's; gives those that were not there yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reconciliation_found SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING RETURNING finding_id",
            [list(finding_ids)],
        )
        return [row[0] for row in cursor.fetchall()]


def is_found(finding_id: int) -> bool:
    """Whether a finding is one of this run's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM reconciliation_found WHERE finding_id = %s", [finding_id])
        return cursor.fetchone() is not None


def found_after(finding_id: int, *, limit: int = 100) -> list[int]:
    """The next of this run's findings, ascending."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT finding_id FROM reconciliation_found WHERE finding_id > %s ORDER BY finding_id LIMIT %s",
            [finding_id, limit],
        )
        return [row[0] for row in cursor.fetchall()]
