"""A price that staff made at Stripe becomes the price of a pack."""

from __future__ import annotations

import structlog

from billing.errors import InvalidRequest
from billing.gateway.client import StripeGateway
from billing.models import CreditPack
from billing.services.catalog import adopt_price

log = structlog.get_logger(__name__)


def adopt_pack_price(*, pack: CreditPack, price_id: str, gateway: StripeGateway) -> None:
    """Let a pack be sold by an existing price of Stripe's, once its amount and currency are proved to be the pack's.

    Raises:
        InvalidRequest: the price does not exist or differs, or the pack was changed meanwhile.
        StripeUnavailable: Stripe cannot be asked now.
    """
    price = adopt_price(
        price_id=price_id, amount_minor=pack.price_minor, currency=pack.currency, gateway=gateway
    )  # over the network, so outside any database transaction
    unchanged = CreditPack.objects.filter(pk=pack.pk, price_minor=pack.price_minor, currency=pack.currency)
    if not unchanged.update(stripe_price_id=price.id, stripe_product_id=price.product_id):
        raise InvalidRequest(
            field="stripe_price_id", fault="the pack's price was changed meanwhile", remedy="Look at it and try again."
        )
    log.info("pack_price_adopted", pack=pack.slug, price=price.id)
