"""The demo's plans: free credits, two plans to subscribe to, and one to talk about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from billing.models import Plan

_PLANS: Final[tuple[dict[str, Any], ...]] = (
    {
        "slug": "free",
        "name": "Free",
        "description": "To try things out.",
        "rank": 0,
        "credits": Decimal(100),
        "price_minor": 0,
        "max_api_keys": 5,
        "features": ["Credits on the first of each month"],
    },
    {
        "slug": "pro",
        "name": "Pro",
        "description": "For one person who builds.",
        "rank": 10,
        "credits": Decimal(20_000),
        "price_minor": 1900,
        "requests_per_minute": 1_200,
        "max_api_keys": 10,
        "features": ["All models", "Credits the moment an invoice is paid"],
    },
    {
        "slug": "pro_plus",
        "name": "Pro Plus",
        "description": "For a team that ships.",
        "rank": 20,
        "credits": Decimal(60_000),
        "price_minor": 4900,
        "rollover": "capped",
        "rollover_cap": Decimal(20_000),
        "requests_per_minute": 3_000,
        "max_api_keys": 20,
        "features": ["Everything in Pro"],
    },
    {
        "slug": "enterprise",
        "name": "Enterprise",
        "description": "Credits, limits and terms as agreed.",
        "rank": 30,
        "price_minor": None,
        "features": ["Invoices as agreed", "Somebody who answers"],
    },
)


def ensure_plans() -> list[Plan]:
    """The demo's plans; one that staff have edited stays as it is."""
    return [
        Plan.objects.get_or_create(
            slug=terms["slug"], defaults={name: terms[name] for name in terms if name != "slug"}
        )[0]
        for terms in _PLANS
    ]
