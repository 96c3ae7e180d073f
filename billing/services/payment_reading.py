"""A payment as Stripe has it now: what reconciliation and staff converge by when webhooks did not come."""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from billing import conf
from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PaymentIntentFacts, SessionFacts
from billing.gateway.plan_facts import PlanInvoiceFacts
from billing.models import Payment, TopUpConsent
from billing.services.convergence import Convergence
from billing.services.payment_facts import (
    PaymentFacts,
    facts_of_dispute,
    facts_of_intent,
    facts_of_refunds,
    facts_of_session,
    linked_by_intent,
    with_subtotal_of,
)
from billing.services.payments import converge_payment
from billing.services.plan_invoices import converge_invoice
from billing.services.top_ups.asking import look_up

log = structlog.get_logger(__name__)


def refresh_payment(*, payment: Payment, gateway: StripeGateway) -> Convergence:
    """Read a payment, and the invoice that it pays, from Stripe and converge both: the very path of their webhooks.

    A plan's credits follow its invoice, and what credit notes gave back stands there. Nothing is edited.

    Raises:
        StripeUnavailable, StripeRefused: it could not be read; nothing has changed.
    """
    read_at = timezone.now()
    facts = read_payment_facts(payment=payment, gateway=gateway)
    invoice_id = payment.invoice_id or next((one.invoice_id for one in facts if one.invoice_id), "")
    invoice = _read_invoice(invoice_id=invoice_id, gateway=gateway)
    outcome = Convergence.UNKNOWN
    with transaction.atomic(durable=True):
        if facts:
            outcome = converge_payment(facts=facts)
        if invoice is not None and outcome is not Convergence.CONTRADICTED:
            of_invoice = converge_invoice(facts=invoice, read_at=read_at)
            outcome = of_invoice if outcome is Convergence.UNKNOWN else outcome
    return outcome


def read_payment_facts(*, payment: Payment, gateway: StripeGateway) -> list[PaymentFacts]:
    """Facts of a payment's session, intent, refunds and disputes as they are now; no database transaction is open."""
    read_at = timezone.now()
    if payment.consent is not None:
        return _read_top_up(payment=payment, consent=payment.consent, read_at=read_at, gateway=gateway)
    session = _read_session(payment=payment, gateway=gateway)
    intent_id = (session.payment_intent_id if session else "") or payment.payment_intent_id or ""
    if not intent_id:
        return [facts_of_session(session=session, occurred_at=session.created_at or read_at)] if session else []
    intent = gateway.retrieve_payment_intent(payment_intent_id=intent_id)
    charged_at = intent.charged_at or read_at  # credits with a lifetime live from the payment, not from the reading
    of_intent = facts_of_intent(intent=intent, occurred_at=charged_at, source=f"read:{intent.id}")
    facts = [of_intent]
    if session is not None:
        facts = [
            with_subtotal_of(session=session, facts=of_intent),
            facts_of_session(session=session, occurred_at=charged_at),
        ]
    facts += _read_money_back(intent=intent, read_at=read_at, gateway=gateway)
    return facts


def _read_top_up(
    *, payment: Payment, consent: TopUpConsent, read_at: datetime, gateway: StripeGateway
) -> list[PaymentFacts]:
    """An automatic top-up has no session: its intent, or its invoice, names the payment."""
    answer = look_up(attempt=payment, consent=consent, ends=False, gateway=gateway)
    if answer is None:
        return []
    facts = answer.facts(at=read_at)
    if answer.intent is not None:
        facts += _read_money_back(intent=answer.intent, read_at=read_at, gateway=gateway)
    return facts


def _read_money_back(*, intent: PaymentIntentFacts, read_at: datetime, gateway: StripeGateway) -> list[PaymentFacts]:
    facts, intent_id = [], intent.id
    if refunds := list(gateway.list_refunds_of(payment_intent_id=intent_id)):
        told = facts_of_refunds(refunds=refunds, livemode=conf.is_live(), occurred_at=read_at)
        facts.append(linked_by_intent(facts=told, intent=intent))
    for dispute in gateway.list_disputes_of(payment_intent_id=intent_id):
        facts.append(linked_by_intent(facts=facts_of_dispute(dispute=dispute, read_at=read_at), intent=intent))
    return facts


def _read_invoice(*, invoice_id: str, gateway: StripeGateway) -> PlanInvoiceFacts | None:
    if not invoice_id:
        return None
    try:
        return gateway.retrieve_plan_invoice(invoice_id=invoice_id, with_void_notes=True)
    except StripeObjectMissing:
        log.warning("stripe_invoice_missing", invoice=invoice_id)
        return None


def _read_session(*, payment: Payment, gateway: StripeGateway) -> SessionFacts | None:
    if not payment.checkout_session_id:
        return None
    try:
        return gateway.retrieve_session(session_id=payment.checkout_session_id)
    except StripeObjectMissing:
        log.warning("stripe_session_missing", payment=payment.public_id)
        return None
