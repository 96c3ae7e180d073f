"""Which handler reads which event. A type that is not here is stored and done."""

from billing.webhooks.effects import Handler
from billing.webhooks.handlers.charge import handle_charge_refunded
from billing.webhooks.handlers.checkout_session import handle_checkout_session
from billing.webhooks.handlers.customer import handle_customer_deleted
from billing.webhooks.handlers.dispute import handle_dispute
from billing.webhooks.handlers.fraud_warning import handle_fraud_warning
from billing.webhooks.handlers.invoice import handle_credit_note, handle_invoice, handle_invoice_payment
from billing.webhooks.handlers.payment_intent import handle_payment_intent
from billing.webhooks.handlers.payment_method import handle_payment_method_detached
from billing.webhooks.handlers.refund import handle_refund
from billing.webhooks.handlers.subscription import handle_subscription

HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": handle_checkout_session,
    "checkout.session.async_payment_succeeded": handle_checkout_session,
    "checkout.session.async_payment_failed": handle_checkout_session,
    "checkout.session.expired": handle_checkout_session,
    "payment_intent.succeeded": handle_payment_intent,
    "payment_intent.payment_failed": handle_payment_intent,
    "charge.refunded": handle_charge_refunded,
    "refund.created": handle_refund,
    "refund.updated": handle_refund,
    "refund.failed": handle_refund,
    "charge.refund.updated": handle_refund,  # the older name, still sent too
    "charge.dispute.created": handle_dispute,
    "charge.dispute.updated": handle_dispute,
    "charge.dispute.funds_withdrawn": handle_dispute,
    "charge.dispute.funds_reinstated": handle_dispute,
    "charge.dispute.closed": handle_dispute,
    "radar.early_fraud_warning.created": handle_fraud_warning,
    "invoice.paid": handle_invoice,
    "invoice.payment_succeeded": handle_invoice,  # the older name, still sent too
    "invoice.payment_failed": handle_invoice,
    "invoice.payment_action_required": handle_invoice,
    "invoice.voided": handle_invoice,
    "invoice.marked_uncollectible": handle_invoice,
    "invoice_payment.paid": handle_invoice_payment,
    "credit_note.created": handle_credit_note,
    "credit_note.updated": handle_credit_note,
    "credit_note.voided": handle_credit_note,
    "customer.subscription.created": handle_subscription,
    "customer.subscription.updated": handle_subscription,
    "customer.subscription.deleted": handle_subscription,
    "customer.subscription.paused": handle_subscription,
    "customer.subscription.resumed": handle_subscription,
    "customer.subscription.trial_will_end": handle_subscription,
    "customer.deleted": handle_customer_deleted,
    "payment_method.detached": handle_payment_method_detached,
}
