"""payment_method.detached: a saved card can never be charged again."""

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.services.convergence import Convergence
from billing.services.top_ups.cards import forget_removed_card
from billing.webhooks.effects import Effect


def handle_payment_method_detached(*, event: EventEnvelope, gateway: StripeGateway) -> Effect:
    """The effect of a card that was removed. One that nobody's top-up is for changes nothing."""

    def forget() -> Convergence:
        forget_removed_card(payment_method_id=event.object_id)
        return Convergence.CONVERGED

    return forget
