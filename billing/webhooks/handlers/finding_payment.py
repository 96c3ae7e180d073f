"""Which payment of ours an object means that names only Stripe's ids: an intent, or its charge."""

from functools import wraps

from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.models import Payment
from billing.selectors.payments import find_payment
from billing.services.payment_facts import PaymentFacts, linked_by_intent
from billing.webhooks.effects import Effect, Handler


def link_to_payment(*, facts: PaymentFacts, gateway: StripeGateway) -> list[PaymentFacts] | None:
    """The facts, with our payment's id where the payment does not know its intent yet; None if none is ours.

    Money can go back before we are told that it came. The intent carries our payment's id, so it is read; what it says
    of money collected is left to its own events, which know the subtotal.
    """
    if find_payment(payment_intent_id=facts.payment_intent_id, charge_id=facts.charge_id):
        return [facts]
    if not facts.payment_intent_id:
        return None
    intent = gateway.retrieve_payment_intent(payment_intent_id=facts.payment_intent_id)
    if not Payment.objects.filter(public_id=intent.payment_reference).exists():
        return None
    return [linked_by_intent(facts=facts, intent=intent)]


def unknown_if_missing(handler: Handler) -> Handler:
    """The handler, for objects that our key may not find: an event of such a one is parked, and tried no more."""

    @wraps(handler)
    def handle(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
        try:
            return handler(event=event, gateway=gateway)
        except StripeObjectMissing:
            return None

    return handle
