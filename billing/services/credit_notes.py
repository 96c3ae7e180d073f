"""Credit notes of an invoice: merge what was read of them, then converge the payment whose money they gave back.

A credit note counts from its issue until it is void. What it took off an invoice before that was paid is told by the
invoice; what it refunded, by the refund. The rest goes back by nothing but the note.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from billing.gateway.plan_facts import CreditNoteFacts
from billing.kinds import EntryKind
from billing.models import CreditNote, Invoice
from billing.services.payment_money_back import MoneyChange
from billing.services.payments import converge_credited


def converge_credit_notes(*, invoice: Invoice, notes: Sequence[CreditNoteFacts], read_at: datetime) -> None:
    """Add credit notes to an invoice, and take back, or give back, the credits of the money that they moved.

    Call inside `transaction.atomic()`, under the lock on the customer's balance.
    """
    for told in notes:
        _merge(invoice=invoice, told=told, read_at=read_at)
    payment = invoice.payment
    if payment is None:
        return
    standing = [note for note in invoice.credit_notes.all() if not note.is_void]
    credited_minor = sum(note.credited_minor for note in standing)
    difference = credited_minor - payment.credited_minor
    if difference:
        change = _change_by(invoice, difference=difference, read_at=read_at)
        converge_credited(payment_id=payment.pk, credited_minor=credited_minor, change=change)


def _merge(*, invoice: Invoice, told: CreditNoteFacts, read_at: datetime) -> None:
    """A note never changes its amounts, and being void is final."""
    voided_at = (told.voided_at or read_at) if told.is_void else None
    note, is_new = CreditNote.objects.get_or_create(
        credit_note_id=told.id,
        defaults={
            "invoice": invoice,
            "number": told.number,
            "currency": told.currency,
            "total_minor": told.total_minor,
            "before_payment_minor": told.before_payment_minor,
            "to_balance_minor": told.to_balance_minor,
            "elsewhere_minor": told.elsewhere_minor,
            "pdf_url": told.pdf_url,
            "is_void": told.is_void,
            "issued_at": told.issued_at,
            "voided_at": voided_at,
        },
    )
    if not is_new and told.is_void and not note.is_void:
        note.is_void, note.voided_at = True, voided_at
        note.save(update_fields=["is_void", "voided_at"])


def _change_by(invoice: Invoice, *, difference: int, read_at: datetime) -> MoneyChange:
    """Money that went by the latest note, or came back with the latest that is void."""
    moving = [note for note in invoice.credit_notes.all() if note.credited_minor and note.is_void is (difference < 0)]
    latest = max(moving, key=lambda note: note.voided_at or note.issued_at, default=None)
    occurred_at = (latest.voided_at or latest.issued_at) if latest else read_at
    return MoneyChange(
        kind=EntryKind.REFUND if difference > 0 else EntryKind.REFUND_REVERSAL,
        amount_minor=difference,
        occurred_at=occurred_at,
        away=occurred_at - latest.issued_at if latest else timedelta(0),
    )
