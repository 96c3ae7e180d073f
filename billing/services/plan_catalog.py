"""Plans as products and recurring prices at Stripe.

What a price grants never changes: a plan whose price, currency, interval or credits were changed gets another price at
Stripe, and those who subscribed before keep theirs until they change.
"""

from collections.abc import Iterator
from hashlib import sha256

from django.db import transaction

from billing import conf
from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PriceFacts
from billing.models import Plan, PlanPrice
from billing.money import format_money
from billing.services.catalog_changes import CatalogChange


def sync_plan(*, plan: Plan, gateway: StripeGateway, dry_run: bool) -> Iterator[CatalogChange]:
    """Give a plan a product and a price that fits it, and tell each step; its former price is sold no more.

    Raises:
        StripeRefused, StripeUnavailable: what was done so far is stored.
    """
    current = plan.prices.filter(is_current=True).order_by("pk").first()
    at_stripe = _read_price(current, gateway=gateway)
    if current is not None and _fits(plan, current) and at_stripe is not None and at_stripe.is_active:
        return
    if not _has_product(plan=plan, gateway=gateway):
        product_id = "" if dry_run else _create_product(plan=plan, gateway=gateway)
        yield CatalogChange(item=plan.slug, action="create_product", object_id=product_id)
    price_id = "" if dry_run else _create_price(plan=plan, before=current, gateway=gateway)
    amount = format_money(amount_minor=plan.price_minor or 0, currency=plan.currency)
    yield CatalogChange(item=plan.slug, action="create_price", object_id=price_id, detail=f"{amount} a {plan.interval}")
    if at_stripe is not None and at_stripe.is_active and at_stripe.livemode is conf.is_live():
        if not dry_run:
            gateway.deactivate_price(price_id=at_stripe.id, idempotency_key=f"deactivate-{at_stripe.id}")
        yield CatalogChange(item=plan.slug, action="deactivate_price", object_id=at_stripe.id)


def _fits(plan: Plan, price: PlanPrice) -> bool:
    offered = (plan.price_minor, plan.currency, plan.interval, plan.credits)
    return offered == (price.amount_minor, price.currency, price.interval, price.credits)


def _read_price(price: PlanPrice | None, *, gateway: StripeGateway) -> PriceFacts | None:
    if price is None:
        return None
    try:
        return gateway.retrieve_price(price_id=price.stripe_price_id)
    except StripeObjectMissing:
        return None


def _has_product(*, plan: Plan, gateway: StripeGateway) -> bool:
    if not plan.stripe_product_id:
        return False
    try:
        gateway.retrieve_product(product_id=plan.stripe_product_id)
    except StripeObjectMissing:
        return False
    return True


def _create_product(*, plan: Plan, gateway: StripeGateway) -> str:
    before, name_digest = plan.stripe_product_id, sha256(plan.name.encode()).hexdigest()[:12]
    product = gateway.create_plan_product(
        name=plan.name, reference=plan.slug, idempotency_key=f"plan-product-{plan.pk}-{name_digest}-{before}"
    )
    Plan.objects.filter(pk=plan.pk, stripe_product_id=before).update(stripe_product_id=product.id)
    plan.stripe_product_id = product.id
    return product.id


def _create_price(*, plan: Plan, before: PlanPrice | None, gateway: StripeGateway) -> str:
    """The key names the predecessor, so that a plan may return to an old price, and two runs at once make one."""
    predecessor = before.stripe_price_id if before else ""
    terms = f"{plan.currency}-{plan.price_minor}-{plan.interval}-{plan.credits.normalize():f}"
    made = gateway.create_recurring_price(
        product_id=plan.stripe_product_id,
        amount_minor=plan.price_minor or 0,
        currency=plan.currency,
        interval=plan.interval,
        reference=plan.slug,
        idempotency_key=f"plan-price-{plan.pk}-{terms}-{predecessor}",
    )
    with transaction.atomic():
        Plan.objects.select_for_update().get(pk=plan.pk)
        if not PlanPrice.objects.filter(stripe_price_id=made.id).exists():
            plan.prices.filter(is_current=True).update(is_current=False)
            PlanPrice.objects.create(
                plan=plan,
                stripe_price_id=made.id,
                credits=plan.credits,
                amount_minor=plan.price_minor or 0,
                currency=plan.currency,
                interval=plan.interval,
            )
    return made.id
