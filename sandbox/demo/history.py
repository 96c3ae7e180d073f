"""What the owner has done before you came: a bonus, a promotion that runs out, two weeks of work, a hold.

Everything goes through billing's services, with keys of its own, so that seeding again moves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from accounts.models import User
from billing.kinds import EntryKind
from billing.models import BillingCustomer, SignupBonus
from billing.services.holds import place_hold
from billing.services.posting import Posting, post_many
from billing.services.signup_bonus import grant_signup_bonus

_DAYS: Final = 12
_PROMOTION: Final = Decimal(2_000)
_EXAMPLE_ADDRESS: Final = "192.0.2.1"  # of a network that exists in examples only (RFC 5737)
_MODELS: Final = ("small", "medium", "large")
_REPOSITORIES: Final = ("acme/web", "acme/api", "acme/billing", "acme/docs")


@dataclass(frozen=True, slots=True)
class _Work:
    """One piece of metered work, and when it was done."""

    key: str
    cost: Decimal
    description: str
    done_at: datetime


def seed_past(*, user: User, customer: BillingCustomer, now: datetime) -> None:
    """A welcome bonus, a promotion and the work of the last days, told in the order in which it happened."""
    start = now - timedelta(days=_DAYS)
    if not SignupBonus.objects.filter(customer=customer).exists():
        grant_signup_bonus(user=user, verified_email=user.email, client_address=_EXAMPLE_ADDRESS, verified_at=start)
    promotion = Posting(
        customer_id=customer.pk,
        kind=EntryKind.PROMOTION,
        amount=_PROMOTION,
        key="api:demo-promotion",
        description="Launch promotion",
        occurred_at=start + timedelta(hours=2),
        expires_at=now + timedelta(days=20),
    )
    work = [
        Posting(
            customer_id=customer.pk,
            kind=EntryKind.USAGE,
            amount=-piece.cost,
            key=piece.key,
            description=piece.description,
            occurred_at=piece.done_at,
        )
        for piece in _invent_work(now=now)
    ]
    post_many(postings=[promotion, *work])


def seed_running_work(*, customer: BillingCustomer) -> None:
    """A hold for a long piece of work that has not ended yet."""
    place_hold(
        customer_id=customer.pk,
        amount=Decimal(150),
        key="api:demo-hold",
        description="Summary of acme/web, 412 commits",
        lifetime=timedelta(hours=24),
    )


def _invent_work(*, now: datetime) -> Iterator[_Work]:
    """The same pieces of work at every seeding, oldest first; they cost about 1,200 credits in all."""
    dice = random.Random("prepaid demo")
    for days_ago in range(_DAYS - 1, -1, -1):
        pieces = dice.randint(2, 5)
        for piece in range(pieces):
            hours_ago = Decimal(pieces - piece) * 2
            yield _Work(
                key=f"api:demo-work-{days_ago}-{piece}",
                cost=(Decimal(dice.randint(4_000, 52_000)) / 1000).quantize(Decimal("0.001")),
                description=_describe(dice),
                done_at=now - timedelta(days=days_ago, hours=float(hours_ago), minutes=dice.randint(0, 59)),
            )


def _describe(dice: random.Random) -> str:
    if dice.random() < 0.4:
        return f"Summary of {dice.choice(_REPOSITORIES)}, {dice.randint(3, 60)} commits"
    tokens_in, tokens_out = dice.randint(800, 24_000), dice.randint(150, 2_400)
    return f"Chat with model {dice.choice(_MODELS)}: {tokens_in:,} tokens in, {tokens_out:,} out"
