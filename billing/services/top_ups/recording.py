"""Records what Stripe answered about an attempt: credits by convergence, and what a declined card leads to."""

from datetime import datetime

import structlog
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from billing import conf
from billing.ledger import balances
from billing.models import AutoTopUp, Payment, TopUpCause, TopUpState
from billing.notice_kinds import NoticeEvent
from billing.selectors.top_ups import declines_of
from billing.services.convergence import Convergence
from billing.services.notices import announce
from billing.services.payments import converge_payment
from billing.services.top_ups.asking import Answer
from billing.services.top_ups.stopping import stop_top_up
from billing.top_up_rules import retry_at

log = structlog.get_logger(__name__)


def record_answer(*, attempt: Payment, answer: Answer) -> None:
    """Merge what Stripe has; a payment that waits for its bank stays open. Again, it changes nothing."""
    with transaction.atomic(durable=True):
        now = timezone.now()
        outcome = converge_payment(facts=answer.facts(at=now))
        if outcome is not Convergence.CONVERGED:
            raise RuntimeError(f"Stripe's answer about the top-up {attempt.public_id} is {outcome}.")
        payment = Payment.objects.get(pk=attempt.pk)
        if payment.paid_at is not None:
            payment.next_try_at = None
        elif answer.is_declined and payment.failed_at is None and payment.refused_at is None:
            payment.failed_at, payment.next_try_at = now, None
        else:
            return
        payment.save(update_fields=["failed_at", "next_try_at"])
        if payment.paid_at is None:
            _follow_decline(payment, answer=answer, now=now)


def _follow_decline(payment: Payment, *, answer: Answer, now: datetime) -> None:
    """Try again later, wait for the customer, or turn it off; nothing where it is not on by the same consent."""
    log.warning("top_up_declined", payment=payment.public_id, reason=answer.reason)
    top_up = AutoTopUp.objects.filter(
        pk=payment.customer_id, state=TopUpState.ON, consent_id=payment.consent_id
    ).first()
    if top_up is None or top_up.consent is None or payment.pack is None:
        return
    terms: dict[str, str | int | bool | list[str] | None] = {
        "payment": payment.public_id,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "credits": format(payment.credits + payment.bonus_credits, "f"),
    }
    if answer.wants_authentication:
        stop_top_up(customer_id=payment.customer_id, cause=TopUpCause.AUTHENTICATION)
        url = f"{conf.site_url()}{reverse('billing:buy_pack', args=[payment.pack.slug])}?save_card=1"
        announce(
            event=NoticeEvent.TOP_UP_AUTHENTICATION_NEEDED,
            customer_id=payment.customer_id,
            key=payment.public_id,
            payload={**terms, "url": url},
        )
        return
    declines, _ = declines_of(consent=top_up.consent)
    again_at = retry_at(declines=declines, declined_at=now)
    if again_at is None:
        stop_top_up(customer_id=payment.customer_id, cause=TopUpCause.DECLINED, detail=answer.reason)
        return
    balances.put_off_top_up(customer_id=payment.customer_id, until=again_at)
    announce(
        event=NoticeEvent.TOP_UP_FAILED,
        customer_id=payment.customer_id,
        key=payment.public_id,
        payload={**terms, "reason": answer.reason, "retry_at": again_at.isoformat()},
    )
