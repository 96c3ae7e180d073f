"""Subscribe: a checkout like any other, whose order is a plan. Credits come with its paid invoices."""

from billing.gateway.client import StripeGateway, UiMode
from billing.models import BillingCustomer
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
    return start_checkout(
        customer=customer,
        order=order_plan(slug=slug, customer=customer),
        form_key=form_key,
        ui_mode=ui_mode,
        network_hash=network_hash,
        pages=pages,
        gateway=gateway,
    )
