"""What the demo sells: a credit is worth a tenth of a cent, and the largest pack is cheaper."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from billing.models import CreditPack

_PACKS: Final = (
    ("starter", "1,000 credits", "To try things out.", 1_000, 100),
    ("standard", "10,000 credits", "For a team's usual month.", 10_000, 1_000),
    ("large", "100,000 credits", "Ten per cent off, for heavy use.", 100_000, 9_000),
)
BOUGHT_BY_OWNER: Final = "standard"


def ensure_packs() -> list[CreditPack]:
    """The demo's packs; one that staff have edited stays as it is."""
    packs = []
    for position, (slug, name, description, credits, price_minor) in enumerate(_PACKS, start=1):
        terms = {
            "name": name,
            "description": description,
            "credits": Decimal(credits),
            "price_minor": price_minor,
            "currency": "usd",
            "position": position,
        }
        packs.append(CreditPack.objects.get_or_create(slug=slug, defaults=terms)[0])
    return packs
