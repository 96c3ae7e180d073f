"""invoice.*, invoice_payment.paid and credit_note.*: the invoice is read anew, because no event carries all of it."""

from datetime import datetime
from functools import partial

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.gateway.plan_parsing import invoice_of
from billing.services.convergence import Convergence
from billing.services.payments import converge_payment
from billing.services.plan_invoices import converge_invoice
from billing.services.top_ups.asking import Answer, read_paid_invoice
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import unknown_if_missing


@unknown_if_missing
def handle_invoice(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of an invoice as it is now; None while its customer is none of ours."""
    return _effect(invoice_id=event.object_id, event=event, gateway=gateway)


@unknown_if_missing
def handle_invoice_payment(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of the invoice that was paid."""
    # An event that reconciliation put here has nothing but ids.
    invoice_id = invoice_of(event.object) or gateway.retrieve_invoice_of_payment(invoice_payment_id=event.object_id)
    return _effect(invoice_id=invoice_id, event=event, gateway=gateway)


@unknown_if_missing
def handle_credit_note(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of the invoice whose credit note was issued or voided."""
    invoice_id = invoice_of(event.object) or gateway.retrieve_invoice_of_credit_note(credit_note_id=event.object_id)
    return _effect(invoice_id=invoice_id, event=event, gateway=gateway, with_void_notes=True)


def _effect(
    *, invoice_id: str, event: EventEnvelope, gateway: StripeGateway, with_void_notes: bool = False
) -> Effect | None:
    if not invoice_id:
        return None
    read_at = timezone.now()
    facts = gateway.retrieve_plan_invoice(invoice_id=invoice_id, with_void_notes=with_void_notes)
    effect = partial(converge_invoice, facts=facts, read_at=read_at, event_type=event.type)
    if facts.subscription_id or not facts.is_paid or not facts.payment_reference:
        return effect
    answer = read_paid_invoice(invoice_id=facts.id, payment_reference=facts.payment_reference, gateway=gateway)
    return effect if answer is None else partial(_with_its_top_up, effect, answer, read_at)


def _with_its_top_up(invoice: Effect, answer: Answer, read_at: datetime) -> Convergence:
    """The invoice, and the credits of the top-up that it was made for: whoever paid it may not have lived to say so."""
    outcome = invoice()
    if outcome is not Convergence.CONVERGED:
        return outcome
    return converge_payment(facts=answer.facts(at=read_at))
