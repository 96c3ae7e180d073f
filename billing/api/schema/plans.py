"""Plans in the schema. Importing this enters them."""

from __future__ import annotations

from typing import Any, Final

from billing.api.lists import ListQuery
from billing.api.plans import OneSubscription, Plans
from billing.api.portal_sessions import PortalBody, PortalSessions
from billing.api.schema import shapes
from billing.api.schema.examples import AT, LIST
from billing.api.schema.operations import Operation, describe

_LIMITS: Final[dict[str, Any]] = {
    "requests_per_minute": 1200,
    "max_call_tokens": None,
    "models": [],
    "max_api_keys": 10,
}

describe(
    Plans,
    get=Operation(
        name="list_plans",
        tag="Buying",
        summary="What can be subscribed to",
        description="The plans on offer, from the smallest to the largest; none where nothing is sold.",
        answers={200: shapes.PlanList},
        example={
            **LIST,
            "url": "/api/v1/plans",
            "data": [
                {
                    "slug": "pro",
                    "object": "plan",
                    "name": "Pro",
                    "description": "For one person who builds.",
                    "credits": "20000.000000",
                    "price_minor": 1900,
                    "currency": "usd",
                    "interval": "month",
                    "rollover": "none",
                    "rollover_cap": None,
                    "trial_days": 0,
                    "limits": _LIMITS,
                    "features": ["20,000 credits a month"],
                }
            ],
        },
        query=ListQuery,
    ),
)
describe(
    OneSubscription,
    get=Operation(
        name="read_subscription",
        tag="Buying",
        summary="The customer's plan",
        description="Who has no subscription is on the plan `free`, if there is one. A plan whose payment fails goes "
        "on through the grace period.",
        answers={200: shapes.Subscription},
        example={
            "object": "subscription",
            "tier": "pro",
            "status": "active",
            "is_past_due": False,
            "expires_at": AT,
            "cancel_at": None,
            "trial_end": None,
            "next_plan": None,
            "changes_at": None,
            "credits": {
                "available": "17512.500000",
                "usage_this_month": "2487.500000",
                "limit": "20000.000000",
                "included_left": "17512.500000",
            },
            "limits": _LIMITS,
            "invoices": [
                {
                    "id": "in_1a2b3c",
                    "object": "invoice",
                    "number": "A1B2C3-0001",
                    "status": "paid",
                    "total_minor": 1900,
                    "tax_minor": 0,
                    "credited_minor": 0,
                    "currency": "usd",
                    "created_at": AT,
                    "url": "https://invoice.stripe.com/i/1a2b3c",
                    "pdf_url": "https://invoice.stripe.com/i/1a2b3c/pdf",
                }
            ],
        },
    ),
)
describe(
    PortalSessions,
    post=Operation(
        name="create_portal_session",
        tag="Buying",
        summary="Open Stripe's portal",
        description="`flow` is what it begins with: `manage` (its first page), `update_card`, `cancel`, `change_plan`. "
        "Send the customer's own browser to `url`, and keep it secret. As many are opened in a minute as checkouts. "
        "While nothing is sold to the customer, `change_plan` is refused, and no plan can be changed in what opens.",
        answers={201: shapes.PortalSession},
        example={"object": "portal_session", "url": "https://billing.stripe.com/p/session/a1b2c3"},
        body=PortalBody,
        body_example={"flow": "change_plan", "plan": "pro_plus", "return_url": "https://product.example.com/billing"},
        problems=(410, 502),
        takes_key=True,
    ),
)
