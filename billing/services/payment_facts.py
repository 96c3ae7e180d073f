"""What Stripe's objects say about one of our payments, in a form that merges in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.gateway.facts import DisputeFacts, FraudWarningFacts, PaymentIntentFacts, RefundFacts, SessionFacts
from billing.pricing import Collected

_ASYNC_PAYMENT_FAILED = "checkout.session.async_payment_failed"
_COLLECTED_STATUSES = ("paid", "no_payment_required")


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeReading:
    """A dispute as it was when its reading began: its status can go both ways, so the later reading counts."""

    facts: DisputeFacts
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """Facts about one payment from one object. Nothing here takes a fact back; what is not known is empty."""

    livemode: bool
    told_at: datetime
    payment_reference: str = ""
    stripe_customer_id: str = ""
    checkout_session_id: str = ""
    payment_intent_id: str = ""
    charge_id: str = ""
    invoice_id: str = ""
    receipt_url: str = ""
    collected: Collected | None = None
    tax_minor: int | None = None
    collected_at: datetime | None = None
    completed_at: datetime | None = None
    failed_at: datetime | None = None
    expired_at: datetime | None = None
    failed_attempts: dict[str, dict[str, str]] = field(default_factory=dict)
    refunds: tuple[RefundFacts, ...] = ()
    disputes: tuple[DisputeReading, ...] = ()
    fraud_warnings: tuple[FraudWarningFacts, ...] = ()


def facts_of_session(*, session: SessionFacts, occurred_at: datetime, event_type: str = "") -> PaymentFacts:
    """What a checkout session says. Only the event's type tells that a delayed payment has failed for good."""
    is_complete = session.status == "complete"
    is_collected = is_complete and session.payment_status in _COLLECTED_STATUSES
    if is_collected and (session.amount_total_minor is None or session.amount_subtotal_minor is None):
        raise RuntimeError(f"The session {session.id} is paid and does not say how much.")
    return PaymentFacts(
        livemode=session.livemode,
        told_at=occurred_at,
        payment_reference=session.payment_reference,
        stripe_customer_id=session.customer_id,
        checkout_session_id=session.id,
        payment_intent_id=session.payment_intent_id,
        invoice_id=session.invoice_id,
        collected=Collected(
            amount_minor=session.amount_total_minor or 0,
            currency=session.currency,
            subtotal_minor=session.amount_subtotal_minor,
            discount_minor=session.amount_discount_minor,
        )
        if is_collected
        else None,
        tax_minor=session.amount_tax_minor if is_collected else None,
        collected_at=occurred_at if is_collected else None,
        completed_at=occurred_at if is_complete else None,
        failed_at=occurred_at if event_type == _ASYNC_PAYMENT_FAILED else None,
        expired_at=occurred_at if session.status == "expired" else None,
    )


def facts_of_intent(*, intent: PaymentIntentFacts, occurred_at: datetime, source: str) -> PaymentFacts:
    """What a payment intent says. It proves a payment only if it carries our payment's id.

    A failed attempt is kept under its charge, or under `source` where no charge was made; it is no end.
    """
    is_collected = intent.status == "succeeded" and bool(intent.payment_reference)
    if is_collected and intent.amount_received_minor is None:
        raise RuntimeError(f"The payment intent {intent.id} succeeded and does not say with how much.")
    failure = intent.failure
    return PaymentFacts(
        livemode=intent.livemode,
        told_at=occurred_at,
        payment_reference=intent.payment_reference,
        stripe_customer_id=intent.customer_id,
        payment_intent_id=intent.id,
        charge_id=intent.charge_id if is_collected else "",
        receipt_url=intent.receipt_url if is_collected else "",
        collected=Collected(
            amount_minor=intent.amount_received_minor or 0, currency=intent.currency, subtotal_minor=None
        )
        if is_collected
        else None,
        collected_at=occurred_at if is_collected else None,
        failed_attempts={
            failure.charge_id or source: {
                "code": failure.decline_code or failure.code,
                "message": failure.message,
                "at": occurred_at.isoformat(),
            }
        }
        if failure
        else {},
    )


def facts_of_refunds(*, refunds: Sequence[RefundFacts], livemode: bool, occurred_at: datetime) -> PaymentFacts:
    """What refunds of one payment say; `occurred_at` is when it was told, in case Stripe does not say when one died."""
    first = refunds[0]
    return PaymentFacts(
        livemode=livemode,
        told_at=occurred_at,
        payment_intent_id=first.payment_intent_id,
        charge_id=first.charge_id,
        refunds=tuple(refunds),
    )


def facts_of_dispute(*, dispute: DisputeFacts, read_at: datetime) -> PaymentFacts:
    """What a dispute says; `read_at` is when its reading began."""
    return PaymentFacts(
        livemode=dispute.livemode,
        told_at=read_at,
        payment_intent_id=dispute.payment_intent_id,
        charge_id=dispute.charge_id,
        disputes=(DisputeReading(facts=dispute, read_at=read_at),),
    )


def facts_of_fraud_warning(*, warning: FraudWarningFacts, occurred_at: datetime) -> PaymentFacts:
    """What an early fraud warning says."""
    return PaymentFacts(
        livemode=warning.livemode,
        told_at=occurred_at,
        payment_intent_id=warning.payment_intent_id,
        charge_id=warning.charge_id,
        fraud_warnings=(warning,),
    )


def linked_by_intent(*, facts: PaymentFacts, intent: PaymentIntentFacts) -> PaymentFacts:
    """Facts that name an intent, with what the intent carries: our payment's id, and whose it is."""
    return replace(
        facts,
        payment_reference=intent.payment_reference,
        stripe_customer_id=intent.customer_id,
        payment_intent_id=intent.id,
    )


def with_subtotal_of(*, session: SessionFacts, facts: PaymentFacts) -> PaymentFacts:
    """An intent's facts with its session's subtotal, if the session asks for just what the intent collected.

    An intent succeeds a moment before its session is complete: the money is there, and only the session knows what it
    was before a discount or a tax.
    """
    collected = facts.collected
    if collected is None or (session.amount_total_minor, session.currency) != (
        collected.amount_minor,
        collected.currency,
    ):
        return facts
    whole = replace(
        collected, subtotal_minor=session.amount_subtotal_minor, discount_minor=session.amount_discount_minor
    )
    return replace(facts, collected=whole, tax_minor=session.amount_tax_minor)
