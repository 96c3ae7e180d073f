"""checkout.session.*: what a checkout became."""

from functools import partial

from django.utils import timezone

from billing.gateway.client import StripeGateway, is_our_release
from billing.gateway.facts import EventEnvelope
from billing.gateway.parsing import parse_session
from billing.selectors.payments import find_payment
from billing.services.payment_facts import facts_of_session
from billing.services.payments import converge_payment
from billing.webhooks.effects import Effect


def handle_checkout_session(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of a session's event; None while the session is none of ours."""
    session = parse_session(event.object)
    payment = find_payment(
        reference=session.payment_reference,
        session_id=session.id,
        payment_intent_id=session.payment_intent_id,
    )
    if payment is None:
        return None
    if not is_our_release(event.api_version):
        session = gateway.retrieve_session(session_id=session.id)
    occurred_at = event.created_at or timezone.now()
    facts = facts_of_session(session=session, occurred_at=occurred_at, event_type=event.type)
    return partial(converge_payment, facts=[facts])
