"""charge.dispute.*: a buyer's bank asks, takes the money, gives it back. Always re-read: it can go both ways."""

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.services.payment_facts import facts_of_dispute
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import link_to_payment, unknown_if_missing


@unknown_if_missing
def handle_dispute(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of a dispute as it is now; None while its payment is none of ours."""
    read_at = timezone.now()
    dispute = gateway.retrieve_dispute(dispute_id=event.object_id)
    return link_to_payment(facts=facts_of_dispute(dispute=dispute, read_at=read_at), gateway=gateway)
