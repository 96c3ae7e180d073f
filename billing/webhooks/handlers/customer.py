"""customer.deleted: the id at Stripe is gone for ever; credits stay."""

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.services.convergence import Convergence
from billing.services.stripe_customers import forget_stripe_customer
from billing.webhooks.effects import Effect


def handle_customer_deleted(*, event: EventEnvelope, gateway: StripeGateway) -> Effect:
    """The effect of a deletion. One of somebody else's customers changes nothing."""

    def forget() -> Convergence:
        forget_stripe_customer(stripe_customer_id=event.object_id)
        return Convergence.CONVERGED

    return forget
