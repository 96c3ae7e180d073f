"""Money of a payment that went back: merges refunds, disputes and fraud warnings, and follows them with flags.

Merging is a union by Stripe's ids. What can go both ways, a dispute's status, counts as of the latest reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from billing import conf
from billing.gateway.facts import INQUIRY_STATUSES, DisputeFacts, FraudWarningFacts, RefundFacts
from billing.kinds import EntryKind
from billing.models import DisputeMovement, FraudWarning, Payment, PaymentDispute, PaymentRefund
from billing.pricing import withdrawn_by_dispute
from billing.services.flags import end_flag, raise_flag
from billing.services.payment_facts import DisputeReading, PaymentFacts

_KEPT_BY_US = ("won", "prevented", "warning_closed", "warning_needs_response", "warning_under_review")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyChange:
    """Money that went (`amount_minor` above zero) or came back, and how long it had been away."""

    kind: EntryKind
    amount_minor: int
    occurred_at: datetime
    away: timedelta = timedelta(0)


def merge_money_back(*, payment: Payment, facts: Sequence[PaymentFacts]) -> list[MoneyChange]:
    """Add what the facts tell of refunds, disputes and warnings, and bring the payment's sums up to date."""
    changes = []
    for one in facts:
        changes += [_merge_refund(payment, refund, told_at=one.told_at) for refund in one.refunds]
        changes += [_merge_dispute(payment, reading) for reading in one.disputes]
        for warning in one.fraud_warnings:
            _merge_warning(payment, warning)
    if changes or payment.refunded_minor or payment.withdrawn_minor:
        _sum_up(payment)
    return [change for change in changes if change is not None]


def sum_given_back(payment: Payment) -> int:
    """What went back of a payment by refunds, credit notes and disputes: at most what was collected."""
    paid_minor = (payment.paid_amount_minor or 0) if payment.paid_at else 0
    return min(paid_minor, payment.returned_minor + payment.withdrawn_minor)


def follow_with_flags(*, payment: Payment) -> None:
    """Flag, freeze and free the payment's customer as its disputes and fraud warnings stand now."""
    for dispute in payment.disputes.all():
        is_inquiry = dispute.status.startswith(INQUIRY_STATUSES)
        for cause, stands in (("inquiry", is_inquiry), ("dispute", not is_inquiry)):
            _follow(
                payment=payment,
                cause=f"{cause}:{dispute.dispute_id}",
                stands=stands and dispute.closed_at is None,
                reason=f"Payment {payment.public_id} is {'asked about' if is_inquiry else 'disputed'} at the bank.",
                freezes=not is_inquiry and conf.is_frozen_on_dispute(),
                ended=f"The {cause} is {dispute.status.replace('_', ' ')}.",
            )
    is_refunded = bool(payment.paid_amount_minor) and payment.refunded_minor >= (payment.paid_amount_minor or 0)
    for warning in payment.fraud_warnings.all():
        _follow(
            payment=payment,
            cause=f"fraud_warning:{warning.warning_id}",
            stands=not is_refunded,
            reason=f"The card network warns of fraud with payment {payment.public_id}.",
            freezes=conf.is_frozen_on_dispute(),
            ended="The payment was refunded.",
        )


def _follow(*, payment: Payment, cause: str, stands: bool, reason: str, freezes: bool, ended: str) -> None:
    if stands:
        raise_flag(customer_id=payment.customer_id, cause=cause, reason=reason, freezes=freezes)
    else:
        end_flag(customer_id=payment.customer_id, cause=cause, reason=ended)


def _merge_refund(payment: Payment, told: RefundFacts, *, told_at: datetime) -> MoneyChange | None:
    """A refund counts from its creation, until it is dead for ever."""
    dead_at = (told.failed_at or told_at) if told.is_dead else None
    refund, is_new = PaymentRefund.objects.get_or_create(
        refund_id=told.id,
        defaults={
            "payment": payment,
            "amount_minor": told.amount_minor,
            "currency": told.currency,
            "status": told.status,
            "reason": told.reason,
            "is_dead": told.is_dead,
            "refunded_at": told.created_at,
            "dead_at": dead_at,
        },
    )
    if is_new:
        if told.is_dead:
            return None
        return MoneyChange(kind=EntryKind.REFUND, amount_minor=told.amount_minor, occurred_at=told.created_at)
    if refund.is_dead:
        return None
    refund.status = told.status if told.is_dead or refund.status != "succeeded" else refund.status
    refund.is_dead, refund.dead_at = told.is_dead, dead_at
    refund.save(update_fields=["status", "is_dead", "dead_at"])
    if dead_at is None:
        return None
    return MoneyChange(
        kind=EntryKind.REFUND_REVERSAL,
        amount_minor=-refund.amount_minor,
        occurred_at=dead_at,
        away=max(timedelta(0), dead_at - refund.refunded_at),
    )


def _merge_dispute(payment: Payment, reading: DisputeReading) -> MoneyChange | None:
    told = reading.facts
    dispute, is_new = PaymentDispute.objects.get_or_create(
        dispute_id=told.id,
        defaults={
            "payment": payment,
            "amount_minor": told.amount_minor,
            "currency": told.currency,
            "reason": told.reason,
            "status": told.status,
            "status_read_at": reading.read_at,
            "opened_at": told.created_at,
            "closed_at": reading.read_at if told.is_closed else None,
        },
    )
    before = 0 if is_new else withdrawn_by(dispute)
    if not is_new and reading.read_at >= dispute.status_read_at:
        _take_status(dispute, told, read_at=reading.read_at)
    DisputeMovement.objects.bulk_create(
        [
            DisputeMovement(
                balance_transaction_id=moved.id,
                dispute=dispute,
                amount_minor=moved.amount_minor,
                occurred_at=moved.created_at,
            )
            for moved in told.movements
        ],
        ignore_conflicts=True,
    )
    difference = withdrawn_by(dispute) - before
    if not difference:
        return None
    # By the stricter setting it can take and give back without moving any money: from its opening to this reading.
    without = [dispute.opened_at, *([reading.read_at] if difference < 0 else [])]
    times = list(dispute.movements.order_by("occurred_at").values_list("occurred_at", flat=True)) or without
    return MoneyChange(
        kind=EntryKind.DISPUTE if difference > 0 else EntryKind.DISPUTE_REVERSAL,
        amount_minor=difference,
        occurred_at=times[-1],
        away=times[-1] - times[0] if difference < 0 else timedelta(0),
    )


def _take_status(dispute: PaymentDispute, told: DisputeFacts, *, read_at: datetime) -> None:
    """An appeal opens a closed dispute again, so the status follows the latest reading."""
    dispute.status, dispute.status_read_at, dispute.amount_minor = told.status, read_at, told.amount_minor
    dispute.closed_at = (dispute.closed_at or read_at) if told.is_closed else None
    dispute.save(update_fields=["status", "status_read_at", "amount_minor", "closed_at"])


def _merge_warning(payment: Payment, told: FraudWarningFacts) -> None:
    FraudWarning.objects.get_or_create(
        warning_id=told.id,
        defaults={"payment": payment, "fraud_type": told.fraud_type, "warned_at": told.created_at},
    )


def withdrawn_by(dispute: PaymentDispute) -> int:
    """How much of its payment a dispute holds now.

    By the stricter setting a dispute that has moved nothing yet, and is not an inquiry, holds its amount already.
    """
    # Of two in one second the withdrawal came first: nothing can come back that has not gone.
    moved = list(dispute.movements.order_by("occurred_at", "amount_minor").values_list("amount_minor", flat=True))
    if not moved and conf.dispute_takes_back_on() == "created" and dispute.status not in _KEPT_BY_US:
        return dispute.amount_minor
    return withdrawn_by_dispute(amount_minor=dispute.amount_minor, movements=moved)


def _sum_up(payment: Payment) -> None:
    live = payment.refunds.filter(is_dead=False).aggregate(total=Sum("amount_minor"))["total"]
    payment.refunded_minor = live or 0
    payment.withdrawn_minor = sum(withdrawn_by(dispute) for dispute in payment.disputes.all())
