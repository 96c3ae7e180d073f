"""Subscribe: a checkout like any other, whose order is a plan. Credits come with its paid invoices."""

from contextlib import suppress

from billing.errors import StripeRefused
from billing.gateway.client import StripeGateway, UiMode
from billing.models import BillingCustomer, Payment, PaymentKind, PaymentState
from billing.services.checkout import CheckoutPages, StartedCheckout, start_checkout
from billing.services.orders import order_plan


def start_plan_checkout(
    *,
    customer: BillingCustomer,
    slug: str,
    form_key: str,
    ui_mode: UiMode,
    network_hash: str,
    pages: CheckoutPages,
    gateway: StripeGateway,
) -> StartedCheckout:
    """Open a checkout for a subscription to a plan, or give the one that this form has opened already.

    Raises:
        PlanUnavailable: the plan is not on offer.
        AlreadySubscribed: a subscription runs; change it instead.
        Otherwise like `start_checkout`.
    """
    order = order_plan(slug=slug, customer=customer)
    _end_other_checkouts(customer=customer, form_key=form_key, gateway=gateway)
    return start_checkout(
        customer=customer,
        order=order,
        form_key=form_key,
        ui_mode=ui_mode,
        network_hash=network_hash,
        pages=pages,
        gateway=gateway,
    )


def _end_other_checkouts(*, customer: BillingCustomer, form_key: str, gateway: StripeGateway) -> None:
    """Expire what is open of other forms: two that were both paid would be two subscriptions."""
    others = Payment.objects.filter(customer=customer, kind=PaymentKind.PLAN, state=PaymentState.PENDING)
    for session_id in others.exclude(form_key=form_key).values_list("checkout_session_id", flat=True):
        if session_id:
            with suppress(StripeRefused):  # it is over already, and its event is on its way
                gateway.expire_session(session_id=session_id, idempotency_key=f"expire-{session_id}")
