"""payment_intent.*: an attempt to pay went through, or did not."""

from functools import partial

from django.utils import timezone

from billing.gateway.client import StripeGateway, is_our_release
from billing.gateway.facts import EventEnvelope, PaymentIntentFacts, SessionFacts
from billing.gateway.parsing import parse_payment_intent
from billing.models import Payment
from billing.selectors.payments import find_payment
from billing.services.convergence import Convergence
from billing.services.payment_facts import facts_of_intent, facts_of_session, with_subtotal_of
from billing.services.payments import converge_payment
from billing.services.plan_invoices import find_customer_at_stripe
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import find_plan_invoice, unknown_if_missing


@unknown_if_missing
def handle_payment_intent(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of an intent's event; None while the intent is none of ours."""
    intent = parse_payment_intent(event.object)
    payment = find_payment(reference=intent.payment_reference, payment_intent_id=intent.id)
    if payment is None:
        return _of_plan(intent=intent, gateway=gateway)
    if not is_our_release(event.api_version):
        intent = gateway.retrieve_payment_intent(payment_intent_id=intent.id)
    occurred_at = event.created_at or timezone.now()
    facts = [facts_of_intent(intent=intent, occurred_at=occurred_at, source=event.id)]
    if _needs_its_session(payment=payment, intent=intent):
        session = _read_session(payment=payment, intent=intent, gateway=gateway)
        if session is not None:
            facts[0] = with_subtotal_of(session=session, facts=facts[0])
            facts.append(facts_of_session(session=session, occurred_at=occurred_at))
    return partial(converge_payment, facts=facts)


def _of_plan(*, intent: PaymentIntentFacts, gateway: StripeGateway) -> Effect | None:
    """The effect of the invoice that it pays. An event that reconciliation put here does not say whose intent it is."""
    if not intent.customer_id:
        intent = gateway.retrieve_payment_intent(payment_intent_id=intent.id)
    found = find_plan_invoice(payment_intent_id=intent.id, stripe_customer_id=intent.customer_id, gateway=gateway)
    if found is None and intent.status != "succeeded" and not intent.payment_reference:
        return _declined_in_checkout(intent=intent, gateway=gateway)
    return found


def _declined_in_checkout(*, intent: PaymentIntentFacts, gateway: StripeGateway) -> Effect | None:
    """The effect of a declined try that no invoice and no purchase knows: of a plan's checkout, whose session names no
    intent. Nothing was collected, and nothing comes of it; a purchase's try waits until its payment knows the intent.
    """
    is_ours = find_customer_at_stripe(stripe_customer_id=intent.customer_id) is not None
    if not is_ours or gateway.find_session_of_intent(payment_intent_id=intent.id) is not None:
        return None
    return lambda: Convergence.CONVERGED


def _needs_its_session(*, payment: Payment, intent: PaymentIntentFacts) -> bool:
    """A discount or a tax changes the amount, and only the session knows the subtotal that must fit the offer."""
    is_the_offer = intent.amount_received_minor == payment.amount_minor and intent.currency == payment.currency
    return intent.status == "succeeded" and payment.paid_subtotal_minor is None and not is_the_offer


def _read_session(*, payment: Payment, intent: PaymentIntentFacts, gateway: StripeGateway) -> SessionFacts | None:
    if payment.checkout_session_id:
        return gateway.retrieve_session(session_id=payment.checkout_session_id)
    return gateway.find_session_of_intent(payment_intent_id=intent.id)
