"""What can be exported: the columns of each sheet, and which rows are meant.

A customer is named by the public id alone: files travel, and addresses of e-mail should not travel with them. Staff are
named by theirs. Credits are exact decimals; money is in major units (10.00) beside its currency.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Model, QuerySet

from billing.kinds import CALLER_KEY_PREFIX
from billing.models import Adjustment, LedgerEntry, Payment
from billing.money import major_units
from billing.selectors.export_cells import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A kind of export. `key` is unique and sorts its rows; `time` is what a period is measured by."""

    name: str
    model: type[Model]
    columns: tuple[str, ...]
    cells: Callable[[Any], tuple[Cell, ...]]
    related: tuple[str, ...] = ("customer",)
    key: tuple[str, ...] = ("pk",)
    time: str = "created_at"
    prepare: Callable[[QuerySet[Any]], QuerySet[Any]] | None = None

    def prepared(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """These rows with what the sheet works out for each."""
        return self.prepare(rows) if self.prepare else rows


def choose_rows(
    *,
    sheet: Sheet,
    customer_id: int | None = None,
    kinds: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Any]:
    """The sheet's rows of one customer or of all; `since` is inclusive, `until` exclusive."""
    rows = sheet.prepared(sheet.model._default_manager.all())
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    if kinds:
        rows = rows.filter(kind__in=kinds)
    if since:
        rows = rows.filter(**{f"{sheet.time}__gte": since})
    return rows.filter(**{f"{sheet.time}__lt": until}) if until else rows


def reference_of(entry: LedgerEntry) -> str:
    """The payment or hold behind an entry, by the name that its customer knows; else the key of the request."""
    if entry.payment is not None:
        return entry.payment.public_id
    if entry.hold is not None:
        return entry.hold.public_id
    return entry.idempotency_key.removeprefix(CALLER_KEY_PREFIX)


def _customer_cells(entry: LedgerEntry) -> tuple[Cell, ...]:
    return (
        entry.occurred_at,
        entry.kind,
        entry.description,
        entry.amount,
        entry.balance_after,
        reference_of(entry),
    )


def _ledger_cells(entry: LedgerEntry) -> tuple[Cell, ...]:
    return (entry.customer.public_id, *_customer_cells(entry), entry.sequence, entry.created_at)


def _money(amount_minor: int | None, currency: str) -> Decimal | None:
    return None if amount_minor is None or not currency else major_units(amount_minor=amount_minor, currency=currency)


def _payment_cells(payment: Payment) -> tuple[Cell, ...]:
    paid_in = payment.paid_currency
    return (
        payment.public_id,
        payment.customer.public_id,
        payment.created_at,
        payment.kind,
        payment.description,
        payment.state,
        payment.credits,
        payment.bonus_credits,
        _money(payment.amount_minor, payment.currency),
        payment.currency,
        payment.paid_at,
        _money(payment.paid_amount_minor, paid_in),
        _money(payment.paid_tax_minor, paid_in),
        paid_in,
        _money(payment.refunded_minor, paid_in),
        _money(payment.credited_minor, paid_in),
        _money(payment.withdrawn_minor, paid_in),
        _money(payment.given_back_minor, paid_in),
        payment.mismatch,
        payment.checkout_session_id,
        payment.payment_intent_id,
        payment.charge_id,
        payment.invoice_id,
    )


def _adjustment_cells(adjustment: Adjustment) -> tuple[Cell, ...]:
    entry, decider = adjustment.entry, adjustment.approved_by
    return (
        adjustment.public_id,
        adjustment.customer.public_id,
        adjustment.requested_at,
        adjustment.amount,
        "yes" if adjustment.is_write_off else "no",
        adjustment.reason_code,
        adjustment.note,
        adjustment.ticket,
        adjustment.state,
        adjustment.requested_by.email,
        "yes" if adjustment.needs_approval else "no",
        adjustment.limit_reason,
        adjustment.decision,
        decider.email if decider else "",
        adjustment.decided_at,
        adjustment.decision_note,
        entry.sequence if entry else None,
        entry.balance_after if entry else None,
    )


_ENTRY: Final = ("time_utc", "type", "description", "amount", "balance", "reference")

CUSTOMER_LEDGER: Final = Sheet(
    name="ledger",
    model=LedgerEntry,
    columns=_ENTRY,
    cells=_customer_cells,
    related=("payment", "hold"),
    key=("customer_id", "sequence"),
    time="occurred_at",
)
LEDGER: Final = Sheet(
    name="ledger",
    model=LedgerEntry,
    columns=("customer", *_ENTRY, "sequence", "recorded_utc"),
    cells=_ledger_cells,
    related=("customer", "payment", "hold"),
    key=("customer_id", "sequence"),
    time="occurred_at",
)
PAYMENTS: Final = Sheet(
    name="payments",
    model=Payment,
    columns=(
        *("payment", "customer", "created_utc", "kind", "description", "state", "credits", "bonus_credits"),
        *("price", "currency", "paid_utc", "paid", "paid_tax", "paid_currency"),
        *("refunded", "credited_by_notes", "withdrawn_by_disputes", "given_back", "mismatch"),
        *("checkout_session", "payment_intent", "charge", "invoice"),
    ),
    cells=_payment_cells,
)
ADJUSTMENTS: Final = Sheet(
    name="adjustments",
    model=Adjustment,
    columns=(
        *("adjustment", "customer", "requested_utc", "amount", "is_write_off", "reason", "note", "ticket", "state"),
        *("requested_by", "needs_approval", "limit", "decision", "decided_by", "decided_utc", "decision_note"),
        *("entry_sequence", "balance_after"),
    ),
    cells=_adjustment_cells,
    related=("customer", "requested_by", "approved_by", "entry"),
    time="requested_at",
)
SHEETS: Final = {sheet.name: sheet for sheet in (LEDGER, PAYMENTS, ADJUSTMENTS)}


def add_sheet(sheet: Sheet) -> None:
    """Let an app above have its rows exported, too; called once, when it starts."""
    SHEETS[sheet.name] = sheet
