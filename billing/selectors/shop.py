"""What is for sale, as the buy page compares it."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import CreditPack
from billing.money import price_per_thousand_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A pack, and what the balance would be with it."""

    pack: CreditPack
    credits: Decimal  # the bonus among them
    per_thousand_minor: int
    available_after: Decimal
    debt_repaid: Decimal


def packs_for_sale() -> list[CreditPack]:
    """All packs that can be bought now, in the order of the shop."""
    return list(CreditPack.objects.filter(is_active=True))


def find_pack_for_sale(*, slug: str) -> CreditPack | None:
    """The pack of that address if it can be bought now."""
    return CreditPack.objects.filter(is_active=True, slug=slug).first()


def offer_of_pack(*, pack: CreditPack, posted: Decimal, held: Decimal) -> Offer:
    """The pack beside what it would make of a balance; both amounts in credits."""
    credits = pack.credits + pack.bonus_credits
    return Offer(
        pack=pack,
        credits=credits,
        per_thousand_minor=price_per_thousand_minor(price_minor=pack.price_minor, credits=credits),
        available_after=available_after_purchase(credits=credits, posted=posted, held=held),
        debt_repaid=min(credits, max(-posted, Decimal(0))),
    )


def available_after_purchase(*, credits: Decimal, posted: Decimal, held: Decimal) -> Decimal:
    """What can be spent once so many credits have come in: a debt is repaid first, holds stay set aside."""
    return max(posted + credits - held, Decimal(0))
