"""customer.subscription.*: hints. The subscription is read anew, because its state can go both ways."""

from functools import partial

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.services.subscriptions import needs_card, store_subscription
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import unknown_if_missing


@unknown_if_missing
def handle_subscription(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of a subscription as it is now; None while its customer is none of ours."""
    read_at = timezone.now()
    facts = gateway.retrieve_subscription(subscription_id=event.object_id)
    card = ""
    if needs_card(facts=facts):
        card = gateway.retrieve_card_fingerprint(payment_method_id=facts.payment_method_id)
    return partial(store_subscription, facts=facts, read_at=read_at, event_type=event.type, card_fingerprint=card)
