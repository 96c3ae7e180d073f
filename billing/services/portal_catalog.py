"""The portal at Stripe, set up by us: it offers our plans, and changes them as credits expect it.

There are two: one that sells, and one in which no plan can be changed, for whom nothing is sold to.
"""

from collections.abc import Iterator
from hashlib import sha256

from billing import conf
from billing.errors import StripeObjectMissing
from billing.gateway.client import StripeGateway
from billing.gateway.portal import PortalConfigurationFacts, PortalPlan, portal_digest
from billing.models import PlanPrice, PortalConfiguration
from billing.services.catalog_changes import CatalogChange

_RETURN_PATH = "/billing/plans/"


def sync_portal(*, sells: bool, gateway: StripeGateway, dry_run: bool) -> Iterator[CatalogChange]:
    """Set one of the two portals up, as it is to be now; nothing where it is.

    The one that sells gets the plans on offer, and is made with the first of them. The other one is there without any:
    billing may be off before the first plan, and after the last.

    Stripe says what the portal has: an answer that was lost, or one that came late, is seen there.

    Raises:
        StripeRefused, StripeUnavailable: whether it has changed is not known; the next run sees it.
    """
    plans, return_url = _plans_on_offer() if sells else [], conf.site_url() + _RETURN_PATH
    item, known_id = portal_item(sells=sells), portal_configuration_id(sells=sells)
    if sells and not plans and not known_id:
        return
    digest = portal_digest(plans=plans, return_url=return_url)
    current = _find_at_stripe(known_id, gateway=gateway)
    is_wanted = current is not None and current.digest == digest
    if not is_wanted and dry_run:
        yield CatalogChange(item=item, action="configure_portal", object_id=current.id if current else "")
    if dry_run:
        return
    if not is_wanted and current is not None:
        current = gateway.update_portal_configuration(
            configuration_id=current.id,
            plans=plans,
            return_url=return_url,
            idempotency_key=_key_of_change(before=current, digest=digest),
        )
    elif current is None:
        current = gateway.create_portal_configuration(
            plans=plans, return_url=return_url, idempotency_key=f"{item.replace('_', '-')}-{digest[:20]}-{known_id}"
        )
    PortalConfiguration.objects.update_or_create(configuration_id=current.id, sells=sells, defaults={"digest": digest})
    if not is_wanted:
        yield CatalogChange(item=item, action="configure_portal", object_id=current.id)


def portal_item(*, sells: bool) -> str:
    """What one of the two portals is called in what is told of the catalog."""
    return "portal" if sells else "portal_without_sale"


def portal_configuration_id(*, sells: bool) -> str:
    """The configuration to open one of the two portals with; empty: it has not been set up."""
    known = PortalConfiguration.objects.filter(sells=sells).order_by("-pk")
    return known.values_list("configuration_id", flat=True).first() or ""


def _plans_on_offer() -> list[PortalPlan]:
    prices = PlanPrice.objects.filter(is_current=True, plan__is_active=True).exclude(plan__stripe_product_id="")
    prices = prices.filter(plan__price_minor__isnull=False).order_by("plan__rank", "pk")
    products: dict[str, list[str]] = {}
    for product_id, price_id in prices.values_list("plan__stripe_product_id", "stripe_price_id"):
        products.setdefault(product_id, []).append(price_id)
    return [PortalPlan(product_id=product_id, price_ids=found) for product_id, found in products.items()]


def _key_of_change(*, before: PortalConfigurationFacts, digest: str) -> str:
    """A key that names what is set, and by the key that set it what is replaced.

    The same is asked for under the same key until it has been done. As each key acts once, a configuration is never set
    by the same one again: plans that are switched off, on and off within a day are three requests.
    """
    return f"portal-{before.id}-{sha256(f'{before.set_by} {digest}'.encode()).hexdigest()[:40]}"


def _find_at_stripe(configuration_id: str, *, gateway: StripeGateway) -> PortalConfigurationFacts | None:
    """A configuration that sessions can be opened with. Ids of test mode are unknown to a live key."""
    if not configuration_id:
        return None
    try:
        found = gateway.retrieve_portal_configuration(configuration_id=configuration_id)
    except StripeObjectMissing:
        return None
    return found if found.is_active else None
