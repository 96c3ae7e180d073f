"""What the owner has done before you came: a bonus, a promotion that runs out, days of work and metered calls, a hold.

Everything goes through billing's services, with keys of its own, so that seeding again moves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Final

from accounts.models import User
from billing.errors import BillingError
from billing.kinds import EntryKind
from billing.models import BillingCustomer, SignupBonus
from billing.services.holds import place_hold
from billing.services.posting import Posting, post
from billing.services.signup_bonus import grant_signup_bonus
from sandbox.demo.calls import DAYS, Happening, calls_of

_PROMOTION: Final = Decimal(2_000)
_EXAMPLE_ADDRESS: Final = "192.0.2.1"  # of a network that exists in examples only (RFC 5737)
_REPOSITORIES: Final = ("acme/web", "acme/api", "acme/billing", "acme/docs")


@dataclass(frozen=True, slots=True)
class _Work:
    """One piece of metered work, and when it was done."""

    key: str
    cost: Decimal
    description: str
    done_at: datetime


def seed_past(*, user: User, customer: BillingCustomer, now: datetime) -> None:
    """A welcome bonus, a promotion, and the work and metered calls of the last days, in the order in which they were.

    What is refused did not happen: you may have spent all since, or withdrawn a model.
    """
    start = now - timedelta(days=DAYS + 1)
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
    post(posting=promotion)
    work: list[Happening] = [
        (piece.done_at, partial(_post, piece, customer=customer)) for piece in _invent_work(now=now)
    ]
    calls = calls_of(user=user, customer=customer, now=now)
    for _, happen in sorted([*work, *calls], key=itemgetter(0)):
        with suppress(BillingError):
            happen()


def _post(piece: _Work, *, customer: BillingCustomer) -> None:
    post(
        posting=Posting(
            customer_id=customer.pk,
            kind=EntryKind.USAGE,
            amount=-piece.cost,
            key=piece.key,
            description=piece.description,
            occurred_at=piece.done_at,
        )
    )


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
    """The same pieces of work at every seeding, oldest first; they cost about 400 credits in all."""
    dice = random.Random("prepaid demo")
    for days_ago in range(DAYS - 1, -1, -1):
        pieces = dice.randint(0, 2)
        for piece in range(pieces):
            hours_ago = Decimal(pieces - piece) * 2
            yield _Work(
                key=f"api:demo-summary-{days_ago}-{piece}",
                cost=(Decimal(dice.randint(4_000, 52_000)) / 1000).quantize(Decimal("0.001")),
                description=f"Summary of {dice.choice(_REPOSITORIES)}, {dice.randint(3, 60)} commits",
                done_at=now - timedelta(days=days_ago, hours=float(hours_ago), minutes=dice.randint(0, 59)),
            )
