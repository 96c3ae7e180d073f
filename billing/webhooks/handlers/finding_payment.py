"""Which payment of ours an object means that names only Stripe's ids: an intent, or its charge."""

from dataclasses import replace
from functools import partial, wraps

from django.utils import timezone

from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.models import Payment
from billing.selectors.payments import find_payment
from billing.services.convergence import Convergence
from billing.services.payment_facts import PaymentFacts, linked_by_intent
from billing.services.payments import converge_payment
from billing.services.plan_invoices import converge_invoice, find_customer_at_stripe
from billing.webhooks.effects import Effect, Handler


def link_to_payment(*, facts: PaymentFacts, gateway: StripeGateway) -> Effect | None:
    """The effect of facts, whose payment may not know its intent yet; None if none of ours is meant.

    Money can go back before we are told that it came. A pack's intent carries our payment's id, so it is read; what it
    says of money collected is left to its own events, which know the subtotal. A plan's intent leads to its invoice.
    """
    if find_payment(payment_intent_id=facts.payment_intent_id, charge_id=facts.charge_id):
        return partial(converge_payment, facts=[facts])
    if not facts.payment_intent_id:
        return None
    intent = gateway.retrieve_payment_intent(payment_intent_id=facts.payment_intent_id)
    if Payment.objects.filter(public_id=intent.payment_reference).exists():
        return partial(converge_payment, facts=[linked_by_intent(facts=facts, intent=intent)])
    first = find_plan_invoice(
        payment_intent_id=facts.payment_intent_id, stripe_customer_id=intent.customer_id, gateway=gateway
    )
    return first and partial(_after_its_invoice, first, replace(facts, stripe_customer_id=intent.customer_id))


def find_plan_invoice(
    *, payment_intent_id: str, stripe_customer_id: str, gateway: StripeGateway
) -> partial[Convergence] | None:
    """The effect of the invoice of a plan that an intent of a customer of ours pays; None where it pays none."""
    if find_customer_at_stripe(stripe_customer_id=stripe_customer_id) is None:
        return None
    invoice_id = gateway.find_invoice_of_intent(payment_intent_id=payment_intent_id)
    if not invoice_id:
        return None
    read_at = timezone.now()
    invoice = gateway.retrieve_plan_invoice(invoice_id=invoice_id)
    return partial(converge_invoice, facts=invoice, read_at=read_at) if invoice.subscription_id else None


def unknown_if_missing(handler: Handler) -> Handler:
    """The handler, for objects that our key may not find: an event of such a one is parked, and tried no more."""

    @wraps(handler)
    def handle(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
        try:
            return handler(event=event, gateway=gateway)
        except StripeObjectMissing:
            return None

    return handle


def _after_its_invoice(first: partial[Convergence], facts: PaymentFacts) -> Convergence:
    """The invoice first, then what became of its money, in the one database transaction.

    An invoice may be paid by several intents, of which our payment knows one: what became of another is told by name.
    """
    outcome = first()
    if outcome is not Convergence.CONVERGED:
        return outcome
    if find_payment(payment_intent_id=facts.payment_intent_id, charge_id=facts.charge_id) is None:
        invoice_id = first.keywords["facts"].id
        payment = Payment.objects.filter(invoice_mirror__invoice_id=invoice_id).first()
        if payment is None:
            return Convergence.UNKNOWN
        facts = replace(facts, payment_reference=payment.public_id, payment_intent_id="", charge_id="")
    return converge_payment(facts=[facts])
