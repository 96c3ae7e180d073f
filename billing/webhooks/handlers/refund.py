"""refund.* and charge.refund.updated: money went back, or did not after all."""

from django.utils import timezone

from billing.gateway.client import StripeGateway, is_our_release
from billing.gateway.facts import EventEnvelope
from billing.gateway.parsing import parse_refund
from billing.services.payment_facts import facts_of_refunds
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import link_to_payment, unknown_if_missing


@unknown_if_missing
def handle_refund(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of a refund's event; None while its payment is none of ours."""
    refund = (
        parse_refund(event.object)
        if is_our_release(event.api_version)
        else gateway.retrieve_refund(refund_id=event.object_id)
    )
    occurred_at = event.created_at or timezone.now()
    facts = facts_of_refunds(refunds=[refund], livemode=event.livemode, occurred_at=occurred_at)
    return link_to_payment(facts=facts, gateway=gateway)
