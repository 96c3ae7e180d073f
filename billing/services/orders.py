"""What a buyer orders: a pack, or an amount of their own. Priced here, never by the browser."""

from dataclasses import dataclass
from decimal import Decimal

from billing import conf
from billing.errors import InvalidRequest, PackUnavailable
from billing.models import CreditPack, Payment, PaymentKind
from billing.money import ZERO, credits_for_minor, format_credits, format_money

CUSTOM_CURRENCY = "usd"  # the only one with a list price in credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The terms of a payment: what is granted for which price."""

    kind: PaymentKind
    pack: CreditPack | None
    description: str
    credits: Decimal
    bonus_credits: Decimal
    amount_minor: int
    currency: str
    lifetime_days: int | None
    stripe_price_id: str

    def is_what_was_paid_for(self, payment: Payment) -> bool:
        """Whether a payment was opened for the same thing. A pack that was changed since is still the same pack."""
        if self.pack is not None or payment.pack_id is not None:
            return self.pack is not None and payment.pack_id == self.pack.pk
        return payment.amount_minor == self.amount_minor


def order_pack(*, slug: str) -> Order:
    """The terms of a pack for sale, as they are now.

    Raises:
        PackUnavailable: no pack of that address is for sale.
    """
    pack = CreditPack.objects.filter(slug=slug, is_active=True).first()
    if pack is None or not conf.is_billing_enabled():
        raise PackUnavailable(pack=slug)
    return Order(
        kind=PaymentKind.PACK,
        pack=pack,
        description=pack.name,
        credits=pack.credits,
        bonus_credits=pack.bonus_credits,
        amount_minor=pack.price_minor,
        currency=pack.currency,
        lifetime_days=pack.lifetime_days,
        stripe_price_id=pack.stripe_price_id,
    )


def order_custom_amount(*, amount_minor: int) -> Order:
    """The terms for an amount of US cents that the buyer chose: list price, no bonus.

    Raises:
        InvalidRequest: less or more than may be chosen.
        PackUnavailable: nothing is sold.
    """
    if not conf.is_billing_enabled():
        raise PackUnavailable(pack="custom")
    least, most = conf.custom_amount_limits_minor()
    if not least <= amount_minor <= most:
        bounds = [format_money(amount_minor=bound, currency=CUSTOM_CURRENCY) for bound in (least, most)]
        raise InvalidRequest(
            field="amount",
            fault=f"{format_money(amount_minor=amount_minor, currency=CUSTOM_CURRENCY)} cannot be chosen",
            remedy=f"Choose an amount from {bounds[0]} to {bounds[1]}.",
        )
    credits = credits_for_minor(
        amount_minor=amount_minor, currency=CUSTOM_CURRENCY, credits_per_usd=int(conf.credits_per_usd())
    )
    return Order(
        kind=PaymentKind.CUSTOM,
        pack=None,
        description=f"{format_credits(credits)} credits",
        credits=credits,
        bonus_credits=ZERO,
        amount_minor=amount_minor,
        currency=CUSTOM_CURRENCY,
        lifetime_days=None,
        stripe_price_id="",
    )
