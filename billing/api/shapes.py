"""Rows as JSON: credits as decimal strings, times in ISO 8601 and UTC, public ids only."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from billing.errors import InvalidRequest
from billing.models import (
    Adjustment,
    AdjustmentState,
    BillingCustomer,
    CreditHold,
    CreditPack,
    LedgerEntry,
    VoucherRedemption,
)
from billing.money import CREDIT_STEP

_ENTRY_ID: Final = re.compile(r"led_([0-9a-z]+)_([0-9]{1,18})", re.ASCII)


def entry_id(entry: LedgerEntry) -> str:
    """An entry's name: its customer's and its number there, which tell nothing about other customers."""
    return entry_name(customer=entry.customer, sequence=entry.sequence)


def entry_name(*, customer: BillingCustomer, sequence: int) -> str:
    """The name of the customer's entry of a number."""
    return f"led_{customer.public_id.removeprefix('cust_')}_{sequence}"


def find_entry(name: str, *, field: str, customer: BillingCustomer | None = None) -> LedgerEntry:
    """The entry of a name; with a `customer` one of theirs.

    Raises:
        InvalidRequest: there is none.
    """
    entry = look_up_entry(name)
    if entry is None or (customer is not None and entry.customer_id != customer.pk):
        raise InvalidRequest(field=field, fault="there is no such entry", remedy="Send the id of an entry: led_….")
    return entry


def look_up_entry(name: str) -> LedgerEntry | None:
    """The entry of a name, with what its shape shows; None if there is none."""
    parts = _ENTRY_ID.fullmatch(name)
    if parts is None:
        return None
    rows = LedgerEntry.objects.select_related("customer", "payment", "hold")
    return rows.filter(customer__public_id=f"cust_{parts[1]}", sequence=parts[2]).first()


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


def hold_shape(hold: CreditHold, *, customer: BillingCustomer) -> dict[str, Any]:
    """A hold; `settled_amount` is null until it is settled."""
    return {
        "id": hold.public_id,
        "object": "hold",
        "customer": customer.public_id,
        "amount": str(hold.amount),
        "state": str(hold.state),
        "settled_amount": None if hold.settled_amount is None else str(hold.settled_amount.quantize(CREDIT_STEP)),
        "is_late": hold.is_late,
        "description": hold.description,
        "placed_at": time_shape(hold.placed_at),
        "expires_at": time_shape(hold.expires_at),
        "ended_at": time_shape(hold.ended_at) if hold.ended_at else None,
    }


def redemption_shape(redemption: VoucherRedemption) -> dict[str, Any]:
    """A use of a voucher; `expires_at` is null where its credits never expire."""
    entry, customer = redemption.entry, redemption.customer
    entry.customer = customer
    expires_at = entry.grant.expires_at
    return {
        "id": redemption.public_id,
        "object": "voucher_redemption",
        "customer": customer.public_id,
        "credits": str(entry.amount),
        "expires_at": time_shape(expires_at) if expires_at else None,
        "redeemed_at": time_shape(redemption.redeemed_at),
        "entry": entry_shape(entry),
    }


def pack_shape(pack: CreditPack) -> dict[str, Any]:
    """A pack for sale; `lifetime_days` is null where its credits never expire."""
    return {
        "slug": pack.slug,
        "object": "credit_pack",
        "name": pack.name,
        "description": pack.description,
        "credits": str(pack.credits),
        "bonus_credits": str(pack.bonus_credits),
        "price_minor": pack.price_minor,
        "currency": pack.currency,
        "lifetime_days": pack.lifetime_days,
    }


def customer_shape(customer: BillingCustomer) -> dict[str, Any]:
    """A customer; `external_id` and `email` are what the product gave, null where it gave none."""
    return {
        "id": customer.public_id,
        "object": "customer",
        "external_id": customer.external_id,
        "email": customer.email or None,
        "created_at": time_shape(customer.created_at),
    }


def time_shape(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
