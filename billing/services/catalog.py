"""Our packs and plans as products and prices at Stripe. Our row says what one costs; Stripe's price follows it."""

from collections.abc import Iterator
from hashlib import sha256

import structlog

from billing import conf
from billing.errors import InvalidRequest, StripeObjectMissing, StripeRefused
from billing.gateway.client import StripeGateway
from billing.gateway.facts import PriceFacts
from billing.models import FREE_SLUG, CreditPack, Plan
from billing.money import format_money
from billing.services.catalog_changes import CatalogChange
from billing.services.plan_catalog import sync_plan
from billing.services.portal_catalog import portal_item, sync_portal

log = structlog.get_logger(__name__)


def sync_catalog(*, gateway: StripeGateway, dry_run: bool = False) -> Iterator[CatalogChange]:
    """Give each pack and plan for sale a product and a fitting price at Stripe, and tell each step. Safe twice at once.

    A price whose amount was changed here gets a successor, because Stripe's prices cannot be changed; the old one is
    deactivated. What Stripe refuses is told and does not stop the rest.

    Raises:
        StripeUnavailable: Stripe cannot be reached; what was done so far is stored.
    """
    for pack in CreditPack.objects.filter(is_active=True):
        try:
            yield from _sync_pack(pack=pack, gateway=gateway, dry_run=dry_run)
        except StripeRefused as refusal:
            log.warning("catalog_refused", pack=pack.slug, reason=str(refusal))
            yield CatalogChange(item=pack.slug, action="refused", detail=str(refusal))
    for plan in Plan.objects.filter(is_active=True, price_minor__isnull=False).exclude(slug=FREE_SLUG):
        try:
            yield from sync_plan(plan=plan, gateway=gateway, dry_run=dry_run)
        except StripeRefused as refusal:
            log.warning("catalog_refused", plan=plan.slug, reason=str(refusal))
            yield CatalogChange(item=plan.slug, action="refused", detail=str(refusal))
    for sells in (True, False):
        try:
            yield from sync_portal(sells=sells, gateway=gateway, dry_run=dry_run)
        except StripeRefused as refusal:
            item = portal_item(sells=sells)
            log.warning("catalog_refused", portal=item, reason=str(refusal))
            yield CatalogChange(item=item, action="refused", detail=str(refusal))


def adopt_price(*, price_id: str, amount_minor: int, currency: str, gateway: StripeGateway) -> PriceFacts:
    """The price of that id, once it is proved to be what a pack of ours costs.

    Raises:
        InvalidRequest: it does not exist, or differs, with a text for the field `stripe_price_id`.
        StripeUnavailable: Stripe cannot be asked now.
    """
    try:
        price = gateway.retrieve_price(price_id=price_id)
    except StripeRefused as refusal:
        raise _refuse_price(fault=f"Stripe knows no price {price_id!r}") from refusal
    fault = find_price_fault(price=price, amount_minor=amount_minor, currency=currency)
    if fault:
        raise _refuse_price(fault=fault)
    return price


def find_price_fault(*, price: PriceFacts, amount_minor: int, currency: str) -> str:
    """Why a price cannot stand for something of that amount; empty if it can."""
    if price.livemode is not conf.is_live():
        return "it is of live mode, our keys are not" if price.livemode else "it is of test mode, our keys are not"
    if not price.is_active:
        return "it is not active"
    if price.is_recurring:
        return "it recurs, and a pack is paid once"
    if price.amount_minor is None:
        return "it has no fixed amount"
    if (price.amount_minor, price.currency) != (amount_minor, currency):
        its_amount = format_money(amount_minor=price.amount_minor, currency=price.currency)
        return f"it is {its_amount}, the pack is {format_money(amount_minor=amount_minor, currency=currency)}"
    return ""


def _sync_pack(*, pack: CreditPack, gateway: StripeGateway, dry_run: bool) -> Iterator[CatalogChange]:
    price = _read_price(pack=pack, gateway=gateway)
    if price is not None and not find_price_fault(price=price, amount_minor=pack.price_minor, currency=pack.currency):
        return
    if not _has_product(pack=pack, gateway=gateway):
        product_id = "" if dry_run else _create_product(pack=pack, gateway=gateway)
        yield CatalogChange(item=pack.slug, action="create_product", object_id=product_id)
    price_id = "" if dry_run else _create_price(pack=pack, gateway=gateway)
    amount = format_money(amount_minor=pack.price_minor, currency=pack.currency)
    yield CatalogChange(item=pack.slug, action="create_price", object_id=price_id, detail=amount)
    if price is not None and price.is_active and price.livemode is conf.is_live():
        if not dry_run:
            gateway.deactivate_price(price_id=price.id, idempotency_key=f"deactivate-{price.id}")
        yield CatalogChange(item=pack.slug, action="deactivate_price", object_id=price.id)


def _read_price(*, pack: CreditPack, gateway: StripeGateway) -> PriceFacts | None:
    if not pack.stripe_price_id:
        return None
    try:
        return gateway.retrieve_price(price_id=pack.stripe_price_id)
    except StripeObjectMissing:
        return None


def _has_product(*, pack: CreditPack, gateway: StripeGateway) -> bool:
    """Whether the pack's product is at Stripe; ids of test mode are unknown to a live key."""
    if not pack.stripe_product_id:
        return False
    try:
        gateway.retrieve_product(product_id=pack.stripe_product_id)
    except StripeObjectMissing:
        return False
    return True


def _create_product(*, pack: CreditPack, gateway: StripeGateway) -> str:
    before, name_digest = pack.stripe_product_id, sha256(pack.name.encode()).hexdigest()[:12]
    product = gateway.create_product(
        name=pack.name, reference=pack.slug, idempotency_key=f"product-{pack.pk}-{name_digest}-{before}"
    )
    CreditPack.objects.filter(pk=pack.pk, stripe_product_id=before).update(stripe_product_id=product.id)
    pack.stripe_product_id = product.id
    return product.id


def _create_price(*, pack: CreditPack, gateway: StripeGateway) -> str:
    """A successor of the pack's price. Its key names the predecessor, so that a price may return to an old amount."""
    before = pack.stripe_price_id
    price = gateway.create_price(
        product_id=pack.stripe_product_id,
        amount_minor=pack.price_minor,
        currency=pack.currency,
        reference=pack.slug,
        idempotency_key=f"price-{pack.pk}-{pack.currency}-{pack.price_minor}-{before}",
    )
    # Staff may have changed the pack meanwhile: then this price is not its price, and the next run makes another.
    CreditPack.objects.filter(
        pk=pack.pk, stripe_price_id=before, price_minor=pack.price_minor, currency=pack.currency
    ).update(stripe_price_id=price.id)
    return price.id


def _refuse_price(*, fault: str) -> InvalidRequest:
    return InvalidRequest(
        field="stripe_price_id",
        fault=fault,
        remedy="Enter the id of an active one-time price of the pack's amount, or leave it empty.",
    )
