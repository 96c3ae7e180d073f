"""An invoice or a subscription as Stripe has it now: the very path of its webhooks, for when none came."""

from django.db import transaction
from django.utils import timezone

from billing.gateway.client import StripeGateway
from billing.services.convergence import Convergence
from billing.services.plan_invoices import converge_invoice
from billing.services.subscriptions import needs_card, store_subscription


def read_plan_object(*, stripe_id: str, gateway: StripeGateway) -> Convergence:
    """Read an invoice (`in_…`), the invoice of a credit note (`cn_…`), or a subscription (`sub_…`), and merge it.

    Raises:
        StripeUnavailable, StripeRefused: it could not be read; nothing has changed.
    """
    read_at = timezone.now()
    if stripe_id.startswith("sub_"):
        subscription = gateway.retrieve_subscription(subscription_id=stripe_id)
        card = ""
        if needs_card(facts=subscription):
            card = gateway.retrieve_card_fingerprint(payment_method_id=subscription.payment_method_id)
        with transaction.atomic(durable=True):
            return store_subscription(facts=subscription, read_at=read_at, card_fingerprint=card)
    is_note = stripe_id.startswith("cn_")
    invoice_id = gateway.retrieve_invoice_of_credit_note(credit_note_id=stripe_id) if is_note else stripe_id
    invoice = gateway.retrieve_plan_invoice(invoice_id=invoice_id, with_void_notes=is_note)
    with transaction.atomic(durable=True):
        return converge_invoice(facts=invoice, read_at=read_at)
