"""A price that staff made at Stripe becomes the price of a pack."""

from __future__ import annotations

import structlog
from django.db import transaction

from accounts.models import User
from billing.errors import InvalidRequest
from billing.gateway.client import StripeGateway
from billing.models import CreditPack
from billing.services.audit import record_audit
from billing.services.catalog import adopt_price

log = structlog.get_logger(__name__)


def adopt_pack_price(
    *, pack: CreditPack, price_id: str, gateway: StripeGateway, actor: User | None = None, address: str = ""
) -> None:
    """Let a pack be sold by an existing price of Stripe's, once its amount and currency are proved to be the pack's.

    The audit log gets who did it (`actor`) from where (`address`).

    Raises:
        InvalidRequest: the price does not exist or differs, or the pack was changed meanwhile.
        StripeUnavailable: Stripe cannot be asked now.
    """
    price = adopt_price(
        price_id=price_id, amount_minor=pack.price_minor, currency=pack.currency, gateway=gateway
    )  # over the network, so outside any database transaction
    with transaction.atomic():
        same = CreditPack.objects.filter(pk=pack.pk, price_minor=pack.price_minor, currency=pack.currency)
        stored = same.select_for_update().first()
        if stored is None:
            raise InvalidRequest(
                field="stripe_price_id",
                fault="the pack's price was changed meanwhile",
                remedy="Look at it and try again.",
            )
        before = {"stripe_price_id": stored.stripe_price_id, "stripe_product_id": stored.stripe_product_id}
        after = {"stripe_price_id": price.id, "stripe_product_id": price.product_id}
        stored.stripe_price_id, stored.stripe_product_id = price.id, price.product_id
        stored.save(update_fields=[*after])
        record_audit(
            actor=actor, action="creditpack.adopt_price", target=stored, before=before, after=after, address=address
        )
    log.info("pack_price_adopted", pack=pack.slug, price=price.id)
