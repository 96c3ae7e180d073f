"""What Stripe says about refunds, disputes and fraud warnings against what is recorded here (pure comparisons)."""

from collections.abc import Iterator
from typing import Any

from billing.gateway.facts import DisputeFacts, FraudWarningFacts, RefundFacts
from billing.models import Payment
from billing.money import format_money
from billing.services.reconciliation.shapes import Difference


def compare_refund(*, refund: RefundFacts, payment: Payment) -> Iterator[Difference]:
    """A refund of a payment of ours, whose refunds are loaded with it."""
    known = next((one for one in payment.refunds.all() if one.refund_id == refund.id), None)
    theirs = {"status": refund.status, "amount_minor": refund.amount_minor, "currency": refund.currency}
    same: dict[str, Any] = {
        "subject": refund.id,
        "payment": payment,
        "stripe_id": refund.id,
        "theirs": theirs,
        "occurred_at": refund.created_at,
        "changed_at": refund.failed_at,
    }
    money = format_money(amount_minor=refund.amount_minor, currency=refund.currency)
    if known is None:
        yield Difference(
            kind="refund_not_recorded", detail=f"A refund of {money} ({refund.status}) is not recorded.", **same
        )
        return
    ours = {"status": known.status, "amount_minor": known.amount_minor, "currency": known.currency}
    if (known.amount_minor, known.currency) != (refund.amount_minor, refund.currency):
        recorded = format_money(amount_minor=known.amount_minor, currency=known.currency)
        detail = f"Refunded were {money}, recorded are {recorded}."
        yield Difference(kind="refund_amount_differs", detail=detail, ours=ours, **same)
    elif known.is_dead is not refund.is_dead:
        here, there = ("dead", "alive") if known.is_dead else ("alive", "dead")
        detail = f"The refund of {money} is {there} at Stripe ({refund.status}) and {here} here ({known.status})."
        yield Difference(kind="refund_state_differs", detail=detail, ours=ours, **same)


def compare_dispute(*, dispute: DisputeFacts, payment: Payment) -> Iterator[Difference]:
    """A dispute of a payment of ours, whose disputes and their movements are loaded with it."""
    known = next((one for one in payment.disputes.all() if one.dispute_id == dispute.id), None)
    same: dict[str, Any] = {"payment": payment, "stripe_id": dispute.id}
    money = format_money(amount_minor=dispute.amount_minor, currency=dispute.currency)
    theirs = {"status": dispute.status, "amount_minor": dispute.amount_minor, "currency": dispute.currency}
    if known is None:
        yield Difference(
            kind="dispute_not_recorded",
            subject=dispute.id,
            detail=f"A dispute over {money} ({dispute.status}) is not recorded.",
            theirs=theirs,
            occurred_at=dispute.created_at,
            **same,
        )
        return
    ours = {"status": known.status, "amount_minor": known.amount_minor, "currency": known.currency}
    if (known.status, known.amount_minor) != (dispute.status, dispute.amount_minor):
        yield Difference(
            kind="dispute_state_differs",
            subject=dispute.id,
            detail=f"The dispute over {money} is {dispute.status} at Stripe and {known.status} here.",
            ours=ours,
            theirs=theirs,
            occurred_at=dispute.created_at,
            **same,
        )
    recorded = {moved.balance_transaction_id for moved in known.movements.all()}
    for moved in dispute.movements:
        if moved.id not in recorded:
            yield Difference(
                kind="dispute_movement_not_recorded",
                subject=moved.id,
                detail=f"The dispute {dispute.id} {'took' if moved.amount_minor < 0 else 'gave back'} money.",
                ours=ours,
                theirs={**theirs, "movement": moved.id, "moved_minor": moved.amount_minor},
                occurred_at=moved.created_at,
                **same,
            )


def compare_fraud_warning(*, warning: FraudWarningFacts, payment: Payment) -> Iterator[Difference]:
    """An early fraud warning about a payment of ours, whose warnings are loaded with it."""
    if all(known.warning_id != warning.id for known in payment.fraud_warnings.all()):
        yield Difference(
            kind="fraud_warning_not_recorded",
            subject=warning.id,
            detail=f"The card network warns of fraud ({warning.fraud_type}).",
            payment=payment,
            stripe_id=warning.id,
            theirs={"fraud_type": warning.fraud_type},
            occurred_at=warning.created_at,
        )
