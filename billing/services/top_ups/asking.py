"""The calls to Stripe about an attempt: to charge the saved card, or to find out what became of that."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.errors import PaymentDeclined
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PaymentIntentFacts
from billing.models import Payment, TopUpConsent
from billing.services.payment_facts import PaymentFacts, facts_of_intent

_CLOCKS_DIFFER = timedelta(hours=1)
_UNDER_WAY = ("processing", "requires_capture")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Stripe has for an attempt."""

    intent: PaymentIntentFacts

    @property
    def is_declined(self) -> bool:
        """Whether nothing was taken, and nothing will be without somebody's doing."""
        return self.intent.status != "succeeded" and self.intent.status not in _UNDER_WAY

    @property
    def wants_authentication(self) -> bool:
        """Whether the bank would let it pass if the customer were there."""
        failure = self.intent.failure
        codes = (failure.code, failure.decline_code) if failure else ()
        return self.intent.status == "requires_action" or "authentication_required" in codes

    @property
    def reason(self) -> str:
        """Why it was declined, in Stripe's words for the buyer."""
        return self.intent.failure.message if self.intent.failure else ""

    def facts(self, *, at: datetime) -> list[PaymentFacts]:
        """The same facts that the intent's events tell."""
        charged_at = self.intent.charged_at or at
        return [facts_of_intent(intent=self.intent, occurred_at=charged_at, source=f"top-up:{self.intent.id}")]


def ask_stripe(*, attempt: Payment, consent: TopUpConsent, gateway: StripeGateway) -> Answer:
    """Charge the saved card. All that is sent comes from stored rows: one key, one set of values.

    Raises:
        StripeRefused: Stripe will not make such a payment. A declined card is an answer and no refusal.
        StripeUnavailable: whether it was charged is unknown.
    """
    try:
        intent = gateway.create_off_session_intent(
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            customer_id=consent.stripe_customer_id,
            payment_method_id=consent.payment_method_id,
            payment_reference=attempt.public_id,
            description=attempt.description,
            idempotency_key=attempt.stripe_idempotency_key,
        )
    except PaymentDeclined as decline:
        if not decline.payment_intent_id:
            raise
        intent = gateway.retrieve_payment_intent(payment_intent_id=decline.payment_intent_id)
    return Answer(intent=intent)


def look_up(*, attempt: Payment, consent: TopUpConsent, gateway: StripeGateway) -> Answer | None:
    """What Stripe has for an attempt that was sent; None if it has nothing. Charges nothing.

    Raises:
        StripeRefused, StripeUnavailable: it could not be found out.
    """
    if attempt.payment_intent_id:
        return Answer(intent=gateway.retrieve_payment_intent(payment_intent_id=attempt.payment_intent_id))
    since = attempt.created_at - _CLOCKS_DIFFER
    for intent in gateway.find_intents_of(customer_id=consent.stripe_customer_id, created_after=since):
        if intent.payment_reference == attempt.public_id:
            return Answer(intent=intent)
    return None
