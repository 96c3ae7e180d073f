"""The portal at Stripe, set up by us: it offers our plans, and changes them as credits expect it."""

from collections.abc import Iterator
from hashlib import sha256

from django.utils import timezone

from billing import conf
from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.portal import PortalPlan
from billing.models import PlanPrice, PortalConfiguration
from billing.services.catalog_changes import CatalogChange

_RETURN_PATH = "/billing/plans/"


def sync_portal(*, gateway: StripeGateway, dry_run: bool) -> Iterator[CatalogChange]:
    """Give the portal the plans that are on offer; nothing where it has them, or where there are none.

    Raises:
        StripeRefused, StripeUnavailable: nothing has changed.
    """
    plans, return_url = _plans_on_offer(), conf.site_url() + _RETURN_PATH
    if not plans:
        return
    digest = _digest(plans, return_url)
    newest = PortalConfiguration.objects.order_by("-pk").first()
    is_there = newest is not None and _is_at_stripe(newest, gateway=gateway)
    if newest is not None and is_there and newest.digest == digest:
        return
    before = newest.configuration_id if newest is not None and is_there else ""
    if dry_run:
        yield CatalogChange(item="portal", action="configure_portal", object_id=before)
        return
    if newest is not None and is_there:
        made = gateway.update_portal_configuration(
            configuration_id=newest.configuration_id,
            plans=plans,
            return_url=return_url,
            # The minute tells apart what is switched on, off and on again within a day; a retry at once is the same.
            idempotency_key=f"portal-{newest.configuration_id}-{digest[:20]}-{timezone.now():%Y%m%d%H%M}",
        )
    else:
        lost = newest.configuration_id if newest is not None else ""
        made = gateway.create_portal_configuration(
            plans=plans, return_url=return_url, idempotency_key=f"portal-{digest[:20]}-{lost}"
        )
    PortalConfiguration.objects.update_or_create(configuration_id=made.id, defaults={"digest": digest})
    yield CatalogChange(item="portal", action="configure_portal", object_id=made.id)


def portal_configuration_id() -> str:
    """The configuration to open the portal with; empty: the account's default one."""
    newest = PortalConfiguration.objects.order_by("-pk").values_list("configuration_id", flat=True).first()
    return newest or ""


def _plans_on_offer() -> list[PortalPlan]:
    prices = PlanPrice.objects.filter(is_current=True, plan__is_active=True).exclude(plan__stripe_product_id="")
    prices = prices.filter(plan__price_minor__isnull=False).order_by("plan__rank", "pk")
    products: dict[str, list[str]] = {}
    for product_id, price_id in prices.values_list("plan__stripe_product_id", "stripe_price_id"):
        products.setdefault(product_id, []).append(price_id)
    return [PortalPlan(product_id=product_id, price_ids=found) for product_id, found in products.items()]


def _digest(plans: list[PortalPlan], return_url: str) -> str:
    parts = [return_url, *(f"{plan.product_id}={','.join(plan.price_ids)}" for plan in plans)]
    return sha256("\n".join(parts).encode()).hexdigest()


def _is_at_stripe(known: PortalConfiguration, *, gateway: StripeGateway) -> bool:
    """Ids of test mode are unknown to a live key."""
    try:
        return gateway.retrieve_portal_configuration(configuration_id=known.configuration_id).is_active
    except StripeObjectMissing:
        return False
