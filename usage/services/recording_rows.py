"""The rows of recorded events: which are known already, and new ones by one statement."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from usage.models import Basis, UsageStatus

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
# Each name is looked up by itself: with `= ANY` the planner may read all events of a customer to find a thousand.
_KNOWN: Final = """
    SELECT event.event_id, event.public_id, event.request_hash, event.credits, entry.sequence
    FROM unnest(%(event_ids)s::text[]) AS asked(event_id)
    CROSS JOIN LATERAL (
        SELECT event_id, public_id, request_hash, credits, entry_id FROM usage_usageevent
        WHERE customer_id = %(customer)s AND event_id = asked.event_id LIMIT 1
    ) AS event
    LEFT JOIN LATERAL (SELECT sequence FROM billing_ledgerentry WHERE id = event.entry_id LIMIT 1) AS entry ON true
"""
_INSERT: Final = """
    INSERT INTO usage_usageevent (public_id, customer_id, event_id, request_hash, api_key_id, model, operation,
        quantity, input_tokens, cached_tokens, output_tokens, price_id, operation_price_id, cost_usd, markup_percent,
        credits, entry_id, basis, status, failure, is_default_price, metadata, occurred_at, created_at)
    SELECT public_id, %(customer)s, event_id, request_hash, %(api_key)s, model, operation,
        quantity, input_tokens, cached_tokens, output_tokens, price_id, operation_price_id, cost_usd, markup_percent,
        credits, entry_id, %(basis)s, %(status)s, '', is_default_price, metadata, occurred_at, %(now)s
    FROM json_to_recordset(%(rows)s::json) AS x(public_id text, event_id text, request_hash text, model text,
        operation text, quantity int, input_tokens bigint, cached_tokens bigint, output_tokens bigint,
        price_id bigint, operation_price_id bigint, cost_usd numeric, markup_percent numeric, credits numeric,
        entry_id bigint, is_default_price boolean, metadata jsonb, occurred_at timestamptz)
"""


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event that was written down before."""

    public_id: str
    request_hash: str
    credits: Decimal
    entry_sequence: int | None


def lock_names(*, customer_id: int) -> None:
    """Let batches of one customer pass one after the other, so that an event is known to the second.

    A name without a row comes before the balance in the order of locks.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [f"usage_events:{customer_id}"])


def find_known(*, customer_id: int, event_ids: Sequence[str]) -> dict[str, KnownEvent]:
    """The events of these names that were written down before."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"customer": customer_id, "event_ids": list(event_ids)})
        return {row[0]: KnownEvent(*row[1:]) for row in cursor.fetchall()}


def insert_events(
    *, customer_id: int, api_key_id: int | None, rows: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Write events down; numbers and times in `rows` are texts where JSON has no exact way to say them."""
    parameters = {
        "customer": customer_id,
        "api_key": api_key_id,
        "basis": Basis.RECORDED.value,
        "status": UsageStatus.COMPLETED.value,
        "now": now,
        "rows": json.dumps(rows, default=str),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, parameters)
