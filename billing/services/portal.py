"""The way into Stripe's portal, where customers change their plan, their card and whom invoices are made out to."""

from enum import StrEnum
from uuid import uuid4

import structlog

from billing import conf
from billing.errors import InvalidRequest, NothingSold, PlanUnavailable, PortalNotReady, StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.faults import missing_param
from billing.gateway.portal import PortalFlow, PortalSessionFacts
from billing.models import BillingCustomer, PlanPrice, Subscription
from billing.selectors.plans import running_subscription
from billing.selectors.selling import sells_to
from billing.services.minute_counts import count_in_minute
from billing.services.portal_catalog import portal_configuration_id
from billing.services.stripe_customers import ensure_stripe_customer, replace_stripe_customer

log = structlog.get_logger(__name__)


class Flow(StrEnum):
    """What somebody wants to do in the portal."""

    MANAGE = "manage"
    UPDATE_CARD = "update_card"
    CANCEL = "cancel"
    CHANGE_PLAN = "change_plan"


def open_portal(
    *,
    customer: BillingCustomer,
    flow: Flow,
    plan: str = "",
    return_url: str,
    network_hash: str,
    gateway: StripeGateway,
) -> PortalSessionFacts:
    """A way into the portal that begins with `flow`; a change may name the plan that it is to.

    Leaving a plan, and seeing to card, address and invoices, goes on while nothing is sold, in a portal of its own.

    Raises:
        NothingSold: a change of plan, and nothing is sold to this customer.
        PortalNotReady: all of the portal, nothing is sold to this customer, and the catalog was not synced so far.
        PlanUnavailable: the plan to change to is not on offer.
        InvalidRequest: there is no subscription that it could be done to.
        RateLimited: as many ways in were opened in this minute as checkouts may be.
        StripeRefused, StripeUnavailable: there is no way in; nothing has changed.
    """
    is_selling = sells_to(customer)
    steps = _steps_of(customer=customer, flow=flow, plan=plan, is_selling=is_selling)
    configuration_id = _configuration_for(steps, is_selling=is_selling)
    count_visit(customer=customer, network_hash=network_hash)
    stripe_customer_id = ensure_stripe_customer(customer=customer, gateway=gateway)
    name = uuid4().hex  # a way in is a secret for an hour: never twice

    def open_for(stripe_customer_id: str) -> PortalSessionFacts:
        return gateway.create_portal_session(
            customer_id=stripe_customer_id,
            return_url=return_url,
            configuration_id=configuration_id,
            flow=steps,
            idempotency_key=f"portal-{customer.public_id}-{name}-{stripe_customer_id}",
        )

    try:
        return open_for(stripe_customer_id)
    except StripeObjectMissing as missing:
        if missing_param(missing) != "customer":
            raise
        return open_for(replace_stripe_customer(customer=customer, missing_id=stripe_customer_id, gateway=gateway))


def _configuration_for(steps: PortalFlow | None, *, is_selling: bool) -> str:
    """The configuration to open the portal with; empty: the account's default one.

    Who is not sold to gets the one in which no plan can be changed. Until that has been set up, a single step is taken
    in the other one: there Stripe hides the rest (docs.stripe.com/customer-management/portal-deep-links).
    """
    if is_selling:
        return portal_configuration_id(sells=True)
    without_sale = portal_configuration_id(sells=False)
    if without_sale or steps is not None:
        return without_sale or portal_configuration_id(sells=True)
    log.error("portal_without_sale_missing", alarm=True, remedy="run sync_stripe_catalog")
    raise PortalNotReady


def _steps_of(*, customer: BillingCustomer, flow: Flow, plan: str, is_selling: bool) -> PortalFlow | None:
    """What the portal begins with; None is its first page."""
    if plan and flow is not Flow.CHANGE_PLAN:
        raise InvalidRequest(field="plan", fault="it says what to change to", remedy="Send it with change_plan alone.")
    if flow is Flow.MANAGE:
        return None
    if flow is Flow.UPDATE_CARD:
        return PortalFlow(type="payment_method_update")
    if flow is Flow.CHANGE_PLAN and not is_selling:
        raise NothingSold
    subscription = running_subscription(customer=customer)
    if subscription is None:
        raise InvalidRequest(field="flow", fault="there is no subscription", remedy="Subscribe to a plan first.")
    if flow is Flow.CHANGE_PLAN:
        steps = _change(subscription=subscription, plan=plan)
    else:
        steps = PortalFlow(type="subscription_cancel", subscription_id=subscription.subscription_id)
    is_cancelled = flow is Flow.CANCEL and subscription.cancel_at is not None
    # One change at a time: where one waits already, the portal's first page says so, and takes it back.
    has_change = is_selling and subscription.changes_at is not None
    return None if is_cancelled or has_change else steps


def _change(*, subscription: Subscription, plan: str) -> PortalFlow:
    if not plan or len(subscription.items) != 1:
        return PortalFlow(type="subscription_update", subscription_id=subscription.subscription_id)
    [item] = subscription.items
    offers = PlanPrice.objects.filter(plan__slug=plan, plan__is_active=True, is_current=True)
    offer = offers.exclude(plan__price_minor=None).order_by("pk").first()
    if offer is None:
        raise PlanUnavailable(plan=plan)
    if offer.stripe_price_id == item["price"]:
        raise InvalidRequest(field="plan", fault="it is the current one", remedy="Choose another plan.")
    return PortalFlow(
        type="subscription_update_confirm",
        subscription_id=subscription.subscription_id,
        item_id=str(item["item"]),
        price_id=offer.stripe_price_id,
        quantity=int(item["quantity"]) or 1,
    )


def count_visit(*, customer: BillingCustomer, network_hash: str) -> None:
    """Count one more that Stripe is asked for somebody, by the minute of the clock.

    In the cache: what is refused here costs nobody money.

    Raises:
        RateLimited: as many as checkouts may be opened were counted in this minute.
    """
    limit = conf.checkout_sessions_per_minute()
    if limit <= 0:
        return
    names = [f"customer:{customer.pk}", *([f"network:{network_hash}"] if network_hash else [])]
    count_in_minute(names=[f"portal-rate:{name}" for name in names], limit=limit)
