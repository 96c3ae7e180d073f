"""The other direction: what is here and was not seen at Stripe. What looks lost is asked for once more by its id."""

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from billing.errors import StripeObjectMissing
from billing.models import DisputeMovement, Payment, PaymentDispute, PaymentRefund, Severity
from billing.services.payment_reading import read_payment_facts
from billing.services.reconciliation.collecting import Reading
from billing.services.reconciliation.compare_money_back import compare_dispute, compare_refund
from billing.services.reconciliation.compare_payments import recorded
from billing.services.reconciliation.seen import payments_seen
from billing.services.reconciliation.shapes import Difference, StripeScope

_CHUNK = 100
Row = TypeVar("Row", bound=Model)


def read_our_payments(reading: Reading) -> None:
    """Payments begun in the window that have a name at Stripe."""
    begun = Payment.objects.select_related("customer")
    for chunk in unseen(reading.scope, begun, time="created_at", name="checkout_session_id", owner="customer"):
        for payment in chunk:
            reading.collect(_check_payment(reading, payment))
        reading.counts.add_object("our_payments", len(chunk))
    reading.progress(step="our_payments", at=None)


def read_our_refunds(reading: Reading) -> None:
    """Refunds that are recorded as made in the window."""
    refunds = PaymentRefund.objects.select_related("payment__customer")
    for chunk in unseen(reading.scope, refunds, time="refunded_at", name="refund_id", owner="payment__customer"):
        for refund in chunk:
            reading.collect(_check_refund(reading, refund))
        reading.counts.add_object("our_refunds", len(chunk))
    reading.progress(step="our_refunds", at=None)


def read_our_disputes(reading: Reading) -> None:
    """Disputes and their movements that are recorded as of the window."""
    disputes = PaymentDispute.objects.select_related("payment__customer")
    for chunk in unseen(reading.scope, disputes, time="opened_at", name="dispute_id", owner="payment__customer"):
        for dispute in chunk:
            reading.collect(_check_dispute(reading, dispute))
        reading.counts.add_object("our_disputes", len(chunk))
    moved = DisputeMovement.objects.select_related("dispute__payment__customer")
    for movements in unseen(
        reading.scope, moved, time="occurred_at", name="balance_transaction_id", owner="dispute__payment__customer"
    ):
        for movement in movements:
            reading.collect(_check_movement(reading, movement))
    reading.progress(step="our_disputes", at=None)


def unseen(scope: StripeScope, rows: QuerySet[Row], *, time: str, name: str, owner: str) -> Iterator[list[Row]]:
    """Chunks of rows whose id at Stripe was in none of its lists."""
    rows = rows.filter(**{f"{time}__gte": scope.since, f"{name}__isnull": False})
    if scope.until:
        rows = rows.filter(**{f"{time}__lt": scope.until})
    if scope.customer is not None:
        rows = rows.filter(**{owner: scope.customer})
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        last = chunk[-1].pk
        seen = payments_seen([str(getattr(row, name)) for row in chunk])
        yield [row for row in chunk if str(getattr(row, name)) not in seen]


def _check_payment(reading: Reading, payment: Payment) -> Iterator[Difference]:
    """It may have been made at Stripe after the window's end, or a moment before its begin."""
    try:
        facts = read_payment_facts(payment=payment, gateway=reading.gateway)
    except StripeObjectMissing:
        facts = []
    is_known = any(one.checkout_session_id == payment.checkout_session_id for one in facts)
    same: dict[str, Any] = {
        "subject": payment.public_id,
        "payment": payment,
        "ours": recorded(payment),
        "stripe_id": payment.checkout_session_id or "",
        "occurred_at": payment.created_at,
    }
    if not is_known:
        yield Difference(
            kind="payment_missing",
            detail="Stripe does not know its checkout.",
            severity=Severity.CRITICAL if payment.posting_count else Severity.LOW,
            **same,
        )
    elif payment.paid_at is not None and all(one.collected is None for one in facts):
        yield Difference(kind="granted_not_paid", detail="Its checkout is unpaid.", **same)


def _check_refund(reading: Reading, refund: PaymentRefund) -> Iterator[Difference]:
    try:
        found = reading.gateway.retrieve_refund(refund_id=refund.refund_id)
    except StripeObjectMissing:
        yield Difference(
            kind="refund_missing",
            subject=refund.refund_id,
            detail="Stripe does not know this refund.",
            payment=refund.payment,
            stripe_id=refund.refund_id,
            ours={"status": refund.status, "amount_minor": refund.amount_minor, "currency": refund.currency},
            occurred_at=refund.refunded_at,
        )
    else:
        yield from compare_refund(refund=found, payment=refund.payment)


def _check_dispute(reading: Reading, dispute: PaymentDispute) -> Iterator[Difference]:
    try:
        found = reading.gateway.retrieve_dispute(dispute_id=dispute.dispute_id)
    except StripeObjectMissing:
        yield Difference(
            kind="dispute_missing",
            subject=dispute.dispute_id,
            detail="Stripe does not know this dispute.",
            payment=dispute.payment,
            stripe_id=dispute.dispute_id,
            ours={"status": dispute.status, "amount_minor": dispute.amount_minor, "currency": dispute.currency},
            occurred_at=dispute.opened_at,
        )
    else:
        yield from compare_dispute(dispute=found, payment=dispute.payment)


def _check_movement(reading: Reading, movement: DisputeMovement) -> Iterator[Difference]:
    dispute = movement.dispute
    try:
        found = reading.gateway.retrieve_dispute(dispute_id=dispute.dispute_id)
    except StripeObjectMissing:
        return  # the dispute itself is the finding
    if all(one.id != movement.balance_transaction_id for one in found.movements):
        yield Difference(
            kind="dispute_movement_missing",
            subject=movement.balance_transaction_id,
            detail=f"Stripe does not know this movement of the dispute {dispute.dispute_id}.",
            payment=dispute.payment,
            stripe_id=dispute.dispute_id,
            ours={"movement": movement.balance_transaction_id, "moved_minor": movement.amount_minor},
            occurred_at=movement.occurred_at,
        )
