"""Announces what became of a payment: collected, failed, given back, disputed."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing import conf
from billing.gateway.facts import INQUIRY_STATUSES
from billing.models import CreditNote, Notice, Payment, PaymentDispute, PaymentKind
from billing.notice_kinds import NoticeEvent
from billing.selectors.payments import failed_attempt_messages
from billing.services.notices import announce
from billing.services.payment_money_back import MoneyChange

_OPEN, _PREVENTED = "opened", "prevented"
_ENDS = {"won": "won", "lost": "lost", _PREVENTED: "won"}  # the bank leaves the payment as it is, or does not
_TOLD_BY_THEIR_OWN = (PaymentKind.AUTO_TOP_UP, PaymentKind.PLAN)  # events of top-ups and of subscriptions


@dataclass(frozen=True, slots=True)
class PaymentBefore:
    """What was known of a payment before facts were merged."""

    is_granted: bool
    has_failed: bool


def remember(payment: Payment) -> PaymentBefore:
    """Call on the locked payment before anything is merged."""
    return PaymentBefore(is_granted=payment.posting_count > 0, has_failed=payment.failed_at is not None)


def announce_payment(
    *, payment: Payment, before: PaymentBefore, changes: Sequence[MoneyChange], has_disputes: bool
) -> None:
    """Announce what is new about a payment. Call in the database transaction that merged it."""
    if payment.posting_count and not before.is_granted:
        announce_receipt(payment=payment)
    has_failed = payment.failed_at is not None and not before.has_failed and payment.paid_at is None
    if has_failed and payment.kind not in _TOLD_BY_THEIR_OWN:
        _announce_failure(payment)
    if any(change.amount_minor > 0 for change in changes):
        _announce_refunds(payment)
        _announce_credit_notes(payment)
    if has_disputes:
        for dispute in payment.disputes.all():
            _announce_dispute(payment, dispute)


def announce_receipt(*, payment: Payment) -> None:
    """Announce that a payment was collected; once, however often it is said. Nothing where nothing was to be paid."""
    if not payment.paid_amount_minor:
        return
    credits = payment.credits + payment.bonus_credits
    announce(
        event=NoticeEvent.PAYMENT_RECEIPT,
        customer_id=payment.customer_id,
        key=payment.public_id,
        payload={
            "payment": payment.public_id,
            "kind": payment.kind,
            "description": payment.description,
            "amount_minor": payment.paid_amount_minor,
            "tax_minor": payment.paid_tax_minor,
            "currency": payment.paid_currency or payment.currency,
            "credits": f"{credits:.6f}" if credits else None,
        },
        occurred_at=payment.paid_at,
    )


def _announce_failure(payment: Payment) -> None:
    announce(
        event=NoticeEvent.PAYMENT_FAILED,
        customer_id=payment.customer_id,
        key=payment.public_id,
        payload={
            "payment": payment.public_id,
            "description": payment.description,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "reason": next(reversed(list(failed_attempt_messages(payment))), ""),
        },
        occurred_at=payment.failed_at,
    )


def _announce_refunds(payment: Payment) -> None:
    """Each refund once, whichever set of facts told of it."""
    for refund in payment.refunds.filter(is_dead=False).order_by("refunded_at", "pk"):
        announce(
            event=NoticeEvent.PAYMENT_REFUNDED,
            customer_id=payment.customer_id,
            key=refund.refund_id,
            payload={
                "payment": payment.public_id,
                "description": payment.description,
                "amount_minor": refund.amount_minor,
                "refunded_minor": payment.returned_minor,
                "credit_note": None,
                "to_balance_minor": 0,
                "currency": refund.currency,
            },
            occurred_at=refund.refunded_at,
        )


def _announce_credit_notes(payment: Payment) -> None:
    """Each credit note that gave money back without a refund, once."""
    notes = CreditNote.objects.filter(invoice__payment=payment, is_void=False).order_by("issued_at", "pk")
    for note in notes:
        if not note.credited_minor:
            continue
        announce(
            event=NoticeEvent.PAYMENT_REFUNDED,
            customer_id=payment.customer_id,
            key=note.credit_note_id,
            payload={
                "payment": payment.public_id,
                "description": payment.description,
                "amount_minor": note.credited_minor,
                "to_balance_minor": note.to_balance_minor,
                "credit_note": str(note),
                "refunded_minor": payment.returned_minor,
                "currency": note.currency,
            },
            occurred_at=note.issued_at,
        )


def _announce_dispute(payment: Payment, dispute: PaymentDispute) -> None:
    """That it began, and how it ended. A bank's question takes no money, so nobody is told of it."""
    if dispute.status.startswith(INQUIRY_STATUSES):
        return
    status = _ENDS.get(dispute.status, _OPEN)
    if status == _OPEN and dispute.closed_at is not None:
        return
    if dispute.status == _PREVENTED and not _was_told(payment, dispute):  # as a rule it was over when it began
        return
    announce(
        event=NoticeEvent.PAYMENT_DISPUTED,
        customer_id=payment.customer_id,
        key=f"{dispute.dispute_id}:{status}",
        payload={
            "payment": payment.public_id,
            "dispute": dispute.dispute_id,
            "description": payment.description,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
            "status": status,
            "frozen": status == _OPEN and conf.is_frozen_on_dispute(),
        },
        occurred_at=dispute.closed_at or dispute.opened_at,
    )


def _was_told(payment: Payment, dispute: PaymentDispute) -> bool:
    key = f"{dispute.dispute_id}:{_OPEN}"
    told = Notice.objects.filter(customer_id=payment.customer_id, event=NoticeEvent.PAYMENT_DISPUTED.value, key=key)
    return told.exists()
