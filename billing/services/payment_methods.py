"""What a customer's plan is paid with, as Stripe has it now."""

import structlog

from billing.errors import StripeRefused, StripeUnavailable
from billing.gateway.client import StripeGateway
from billing.gateway.saved_cards import CardFacts
from billing.models import BillingCustomer

log = structlog.get_logger(__name__)


def read_payment_method(*, customer: BillingCustomer, gateway: StripeGateway) -> CardFacts | None:
    """The card that invoices are paid with, else the one saved last; None where there is none.

    Raises:
        StripeUnavailable: Stripe does not answer; a page says so and goes on without.
    """
    if not customer.stripe_customer_id:
        return None
    try:
        details = gateway.retrieve_billing_details(customer_id=customer.stripe_customer_id)
        if details.is_deleted:
            return None
        cards = gateway.list_cards(customer_id=customer.stripe_customer_id)
    except StripeRefused as error:
        log.warning("payment_method_unreadable", customer=customer.public_id, reason=str(error))
        raise StripeUnavailable("Stripe does not tell which card is saved.") from error
    chosen = (card for card in cards if card.id == details.default_payment_method_id)
    return next(chosen, cards[0] if cards else None)
