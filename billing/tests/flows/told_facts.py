"""Facts about one payment as events tell them, where the sandbox tells none."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from billing.gateway.facts import DisputeFacts, FraudWarningFacts, MovementFacts, RefundFacts
from billing.models import Payment
from billing.pricing import Collected
from billing.services.payment_facts import PaymentFacts, facts_of_dispute, facts_of_fraud_warning, facts_of_refunds
from billing.services.payments import converge_payment
from billing.tests.ledger.steps import assert_books_are_right


def converge(payment: Payment, *facts: PaymentFacts) -> None:
    with transaction.atomic():
        converge_payment(facts=facts)
    assert_books_are_right(payment.customer)


def collected(payment: Payment, amount_minor: int, *, currency: str = "usd") -> PaymentFacts:
    now = timezone.now()
    return PaymentFacts(
        livemode=False,
        told_at=now,
        payment_reference=payment.public_id,
        checkout_session_id=payment.checkout_session_id or "",
        payment_intent_id="pi_1",
        charge_id="ch_1",
        collected=Collected(amount_minor=amount_minor, currency=currency, subtotal_minor=amount_minor),
        collected_at=now,
    )


def refunded(refund_id: str, amount_minor: int, *, status: str = "succeeded", currency: str = "usd") -> PaymentFacts:
    now = timezone.now()
    refund = RefundFacts(
        id=refund_id,
        amount_minor=amount_minor,
        currency=currency,
        status=status,
        reason="",
        charge_id="ch_1",
        payment_intent_id="pi_1",
        created_at=now,
    )
    return facts_of_refunds(refunds=[refund], livemode=False, occurred_at=now)


def disputed(
    amount_minor: int, movements: Sequence[int], *, status: str = "needs_response", currency: str = "usd"
) -> PaymentFacts:
    now = timezone.now()
    dispute = DisputeFacts(
        id="dp_1",
        amount_minor=amount_minor,
        currency=currency,
        reason="fraudulent",
        status=status,
        charge_id="ch_1",
        payment_intent_id="pi_1",
        livemode=False,
        created_at=now,
        movements=tuple(
            MovementFacts(id=f"txn_{number}", amount_minor=moved, created_at=now + timedelta(seconds=number))
            for number, moved in enumerate(movements)
        ),
    )
    return facts_of_dispute(dispute=dispute, read_at=now)


def warned() -> PaymentFacts:
    now = timezone.now()
    warning = FraudWarningFacts(
        id="issfr_1", fraud_type="", charge_id="ch_1", payment_intent_id="pi_1", livemode=False, created_at=now
    )
    return facts_of_fraud_warning(warning=warning, occurred_at=now)
