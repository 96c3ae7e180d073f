"""Which payment of ours an object means that names only Stripe's ids: an intent, or its charge."""

from billing.gateway.client import StripeGateway
from billing.models import Payment
from billing.selectors.payments import find_payment
from billing.services.payment_facts import PaymentFacts, linked_by_intent


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
