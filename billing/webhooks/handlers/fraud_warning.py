"""radar.early_fraud_warning.created: a card network expects a dispute."""

from django.utils import timezone

from billing.gateway.client import StripeGateway, is_our_release
from billing.gateway.facts import EventEnvelope
from billing.gateway.parsing import parse_fraud_warning
from billing.services.payment_facts import facts_of_fraud_warning
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import link_to_payment, unknown_if_missing


@unknown_if_missing
def handle_fraud_warning(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of a warning; None while its payment is none of ours."""
    warning = (
        parse_fraud_warning(event.object)
        if is_our_release(event.api_version)
        else gateway.retrieve_fraud_warning(warning_id=event.object_id)
    )
    facts = facts_of_fraud_warning(warning=warning, occurred_at=event.created_at or timezone.now())
    return link_to_payment(facts=facts, gateway=gateway)
