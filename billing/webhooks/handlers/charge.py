"""charge.refunded: a sum that only hints; the refunds themselves are listed."""

from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.gateway.facts import EventEnvelope
from billing.selectors.payments import find_payment
from billing.services.convergence import Convergence
from billing.services.payment_facts import facts_of_refunds
from billing.webhooks.effects import Effect
from billing.webhooks.handlers.finding_payment import link_to_payment, unknown_if_missing


@unknown_if_missing
def handle_charge_refunded(*, event: EventEnvelope, gateway: StripeGateway) -> Effect | None:
    """The effect of all refunds that the charge has now; None while its payment is none of ours."""
    refunds = list(gateway.list_refunds_of(charge_id=event.object_id))
    occurred_at = event.created_at or timezone.now()
    if not refunds:
        is_ours = find_payment(charge_id=event.object_id) is not None
        return (lambda: Convergence.CONVERGED) if is_ours else None
    facts = facts_of_refunds(refunds=refunds, livemode=event.livemode, occurred_at=occurred_at)
    return link_to_payment(facts=facts, gateway=gateway)
