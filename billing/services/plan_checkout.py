"""Subscribe: a checkout like any other, whose order is a plan. Credits come with its paid invoices."""

from billing.errors import AlreadySubscribed, StripeRefused
from billing.gateway.client import StripeGateway, UiMode
from billing.models import BillingCustomer, Payment, PaymentKind, PaymentState
from billing.services.checkout import CheckoutPages, StartedCheckout, start_checkout
from billing.services.orders import NOT_RUNNING, order_plan
from billing.services.subscriptions import plan_of


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
    """Expire what is open of other forms: two that were both paid would be two subscriptions.

    Raises:
        AlreadySubscribed: one of them was paid, and its subscription runs, though we have not heard of that yet.
    """
    others = Payment.objects.filter(customer=customer, kind=PaymentKind.PLAN, checkout_session_id__isnull=False)
    is_maybe_paid = False
    for payment in others.exclude(form_key=form_key).exclude(state=PaymentState.EXPIRED):
        is_maybe_paid |= payment.state != PaymentState.PENDING or not _expire(payment, gateway=gateway)
    if is_maybe_paid:
        _check_none_runs(customer=customer, gateway=gateway)


def _expire(payment: Payment, *, gateway: StripeGateway) -> bool:
    """End an open checkout; whether it still was open. If not, its event is on its way."""
    session_id = str(payment.checkout_session_id)
    try:
        gateway.expire_session(session_id=session_id, idempotency_key=f"expire-{session_id}")
    except StripeRefused:
        return False
    return True


def _check_none_runs(*, customer: BillingCustomer, gateway: StripeGateway) -> None:
    """Ask Stripe itself: our mirror of subscriptions follows events, which may be late."""
    stripe_customer_id = BillingCustomer.objects.values_list("stripe_customer_id", flat=True).get(pk=customer.pk)
    if not stripe_customer_id:
        return
    try:
        subscriptions = gateway.list_subscriptions_of(customer_id=stripe_customer_id)
    except StripeRefused:  # the customer is gone there, and every subscription with it
        return
    running = next((one for one in subscriptions if one.ended_at is None and one.status not in NOT_RUNNING), None)
    if running is not None:
        plan = plan_of(facts=running)
        raise AlreadySubscribed(plan=plan.name if plan else "a plan")
