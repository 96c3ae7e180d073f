"""Rows as JSON: credits as decimal strings, times in ISO 8601 and UTC, public ids only."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from billing.errors import InvalidRequest
from billing.models import Adjustment, AdjustmentState, LedgerEntry

_ENTRY_ID: Final = re.compile(r"led_([0-9a-z]+)_([0-9]{1,18})", re.ASCII)


def entry_id(entry: LedgerEntry) -> str:
    """An entry's name: its customer's and its number there, which tell nothing about other customers."""
    return f"led_{entry.customer.public_id.removeprefix('cust_')}_{entry.sequence}"


def find_entry(name: str, *, field: str) -> LedgerEntry:
    """The entry of a name.

    Raises:
        InvalidRequest: there is none.
    """
    parts = _ENTRY_ID.fullmatch(name)
    named = LedgerEntry.objects.filter(customer__public_id=f"cust_{parts[1]}", sequence=parts[2]) if parts else None
    entry = named.first() if named is not None else None
    if entry is None:
        raise InvalidRequest(field=field, fault="there is no such entry", remedy="Send the id of an entry: led_….")
    return entry


def entry_shape(entry: LedgerEntry) -> dict[str, Any]:
    """A ledger entry; `amount` is negative where credits went out."""
    return {
        "id": entry_id(entry),
        "object": "ledger_entry",
        "customer": entry.customer.public_id,
        "sequence": entry.sequence,
        "kind": entry.kind,
        "amount": str(entry.amount),
        "balance_after": str(entry.balance_after),
        "description": entry.description,
        "payment": entry.payment.public_id if entry.payment else None,
        "hold": entry.hold.public_id if entry.hold else None,
        "occurred_at": time_shape(entry.occurred_at),
        "created_at": time_shape(entry.created_at),
    }


def adjustment_shape(adjustment: Adjustment) -> dict[str, Any]:
    """An adjustment as it was when it was asked for: a second person's decision later on is not in it."""
    entry = None if adjustment.needs_approval else adjustment.entry
    return {
        "id": adjustment.public_id,
        "object": "adjustment",
        "customer": adjustment.customer.public_id,
        "amount": str(adjustment.amount),
        "reason_code": adjustment.reason_code,
        "note": adjustment.note,
        "ticket": adjustment.ticket,
        "state": (AdjustmentState.WAITING if adjustment.needs_approval else AdjustmentState.POSTED).value,
        "limit_reason": adjustment.limit_reason or None,
        "decide_until": time_shape(adjustment.decide_until) if adjustment.decide_until else None,
        "requested_at": time_shape(adjustment.requested_at),
        "entry": entry_shape(entry) if entry else None,
    }


def time_shape(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
