"""Which handler reads which event. A type that is not here is stored and done."""

from billing.webhooks.effects import Handler
from billing.webhooks.handlers.checkout_session import handle_checkout_session
from billing.webhooks.handlers.payment_intent import handle_payment_intent

HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": handle_checkout_session,
    "checkout.session.async_payment_succeeded": handle_checkout_session,
    "checkout.session.async_payment_failed": handle_checkout_session,
    "checkout.session.expired": handle_checkout_session,
    "payment_intent.succeeded": handle_payment_intent,
    "payment_intent.payment_failed": handle_payment_intent,
}
