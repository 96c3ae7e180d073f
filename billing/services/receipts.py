"""Receipts: where Stripe shows one for a payment. Nice to have, so nothing waits for it and nothing fails with it."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from billing.errors import StripeRefused, StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.models import Payment
from billing.services.payment_facts import facts_of_intent
from billing.services.payments import converge_payment

_LOOKED_FOR = timedelta(days=1)  # a payment that has no receipt after a day gets none
log = structlog.get_logger(__name__)


def fetch_receipt(*, payment_intent_id: str, gateway: StripeGateway) -> bool:
    """Ask Stripe for the receipt of a paid payment that has none; whether it has one now.

    An event carries only the id of the charge, and the receipt's address is the charge's.

    Raises:
        StripeUnavailable: Stripe cannot be asked now.
    """
    payment = Payment.objects.filter(payment_intent_id=payment_intent_id, paid_at__isnull=False).first()
    if payment is None or payment.paid_at is None or payment.receipt_url:
        return bool(payment and payment.receipt_url)
    try:
        intent = gateway.retrieve_payment_intent(payment_intent_id=payment_intent_id)
    except StripeRefused as error:
        log.info("receipt_not_fetched", payment=payment.public_id, reason=str(error))
        return False
    facts = facts_of_intent(intent=intent, occurred_at=payment.paid_at, source=payment_intent_id)
    with transaction.atomic(durable=True):
        converge_payment(facts=[facts])
    return bool(intent.receipt_url)


def fetch_missing_receipts(*, gateway: StripeGateway, now: datetime, limit: int = 50) -> int:
    """Fetch receipts that were missed in the last day, newest first; gives how many. Stops where Stripe is away."""
    paid = Payment.objects.filter(created_at__gt=now - _LOOKED_FOR, paid_at__isnull=False, receipt_url="")
    intents = paid.filter(payment_intent_id__isnull=False).order_by("-created_at")
    count = 0
    for payment_intent_id in intents.values_list("payment_intent_id", flat=True)[:limit]:
        try:
            count += fetch_receipt(payment_intent_id=str(payment_intent_id), gateway=gateway)
        except StripeUnavailable as error:
            log.info("receipts_not_fetched", reason=str(error))
            break
    return count
