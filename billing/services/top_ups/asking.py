"""The calls to Stripe about an attempt: to charge the saved card, or to find out what became of that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.errors import PaymentDeclined
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PaymentIntentFacts
from billing.gateway.invoicing import OwnInvoiceFacts
from billing.models import Payment, PaymentKind, TopUpConsent
from billing.services.payment_facts import PaymentFacts, facts_of_intent
from billing.services.top_ups.invoicing import (
    UNDER_WAY,
    charge_by_invoice,
    facts_of_own_invoice,
    look_up_invoice,
    read_invoice,
)
from billing.top_up_rules import Judgement

_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Stripe has for an attempt: its payment intent, and where tax is computed the invoice that it pays."""

    intent: PaymentIntentFacts | None
    invoice: OwnInvoiceFacts | None = None
    needs_customer: bool = False  # the bank said so to whoever charged; the intent may tell it, too

    @property
    def is_declined(self) -> bool:
        """Whether nothing was taken, and nothing will be without somebody's doing."""
        if self.invoice is not None and self.invoice.is_collected:
            return False
        return self.intent is None or self.intent.status not in ("succeeded", *UNDER_WAY)

    @property
    def wants_authentication(self) -> bool:
        """Whether the bank would let it pass if the customer were there."""
        if self.intent is None or self.needs_customer:
            return self.needs_customer
        failure = self.intent.failure
        codes = (failure.code, failure.decline_code) if failure else ()
        return self.intent.status == "requires_action" or "authentication_required" in codes

    @property
    def reason(self) -> str:
        """Why it was declined, in Stripe's words for the buyer."""
        return self.intent.failure.message if self.intent and self.intent.failure else ""

    def facts(self, *, at: datetime) -> list[PaymentFacts]:
        """The same facts that the events of these objects tell."""
        charged_at, facts = (self.intent.charged_at if self.intent else None) or at, []
        if self.intent is not None:
            source = f"top-up:{self.intent.id}"
            facts.append(facts_of_intent(intent=self.intent, occurred_at=charged_at, source=source))
        if self.invoice is not None:
            facts.append(facts_of_own_invoice(invoice=self.invoice, charged_at=charged_at))
        return facts


def ask_stripe(
    *, attempt: Payment, consent: TopUpConsent, judge_again: Callable[[], Judgement], gateway: StripeGateway
) -> Answer:
    """Charge the saved card. All that is sent comes from stored rows: one key, one set of values.

    Where several calls lead to the charge, `judge_again` is asked before the last one.

    Raises:
        BeyondLimit: with tax it is more than may be charged; nothing was taken.
        CollectsDebt: an older debt at Stripe would be charged along; nothing was taken.
        Withdrawn: meanwhile nothing may be charged any more; nothing was taken.
        EndedBefore: its invoice is void or deleted already; nothing was taken.
        StripeRefused: Stripe will not make such a payment. A declined card is an answer and no refusal.
        StripeUnavailable: whether it was charged is unknown.
    """
    if consent.is_taxed:
        invoice, intent, needs_customer = charge_by_invoice(
            attempt=attempt, consent=consent, judge_again=judge_again, gateway=gateway
        )
        return Answer(intent=intent, invoice=invoice, needs_customer=needs_customer)
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


def look_up(*, attempt: Payment, consent: TopUpConsent, ends: bool, gateway: StripeGateway) -> Answer | None:
    """What Stripe has for an attempt that was sent; None if it has nothing. Charges nothing.

    With `ends` an invoice that nobody has paid is voided on the way.

    Raises:
        StripeRefused, StripeUnavailable: it could not be found out.
    """
    if consent.is_taxed:
        found = look_up_invoice(attempt=attempt, consent=consent, ends=ends, gateway=gateway)
        return Answer(invoice=found[0], intent=found[1]) if found else None
    if attempt.payment_intent_id:
        return Answer(intent=gateway.retrieve_payment_intent(payment_intent_id=attempt.payment_intent_id))
    since = attempt.created_at - _CLOCKS_DIFFER
    for intent in gateway.find_intents_of(customer_id=consent.stripe_customer_id, created_after=since):
        if intent.payment_reference == attempt.public_id:
            return Answer(intent=intent)
    return None


def read_paid_invoice(*, invoice_id: str, payment_reference: str, gateway: StripeGateway) -> Answer | None:
    """What a paid invoice says of the top-up that it names; None if it names none that waits for its money.

    Raises:
        StripeRefused, StripeUnavailable: it could not be found out.
    """
    waiting = Payment.objects.filter(kind=PaymentKind.AUTO_TOP_UP, paid_at__isnull=True)
    attempt = waiting.filter(public_id=payment_reference).first()
    if attempt is None:
        return None
    invoice, intent = read_invoice(invoice_id=invoice_id, attempt=attempt, gateway=gateway)
    return Answer(invoice=invoice, intent=intent) if invoice.status == "paid" else None
