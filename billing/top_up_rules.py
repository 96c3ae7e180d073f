"""When an automatic top-up may charge a card (pure): one judgement from everything that could speak against it.

The order matters. What ends the wish or pauses the top-up comes before what only puts it off; and whatever is left
open at the end is charged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

BETWEEN_ATTEMPTS = timedelta(minutes=5)
AFTER_DECLINES = (timedelta(hours=1), timedelta(hours=6))
MOST_DECLINES = len(AFTER_DECLINES) + 1  # so many in a row turn it off
_LOOK_AGAIN = timedelta(minutes=15)  # at what only somebody else can change
_FOLLOW_ATTEMPT = timedelta(minutes=1)


class Verdict(StrEnum):
    """What is to be done about a top-up that was asked for."""

    CHARGE = "charge"
    FORGET = "forget"  # it is not wanted any more
    WAIT = "wait"
    PAUSE = "pause"  # what was agreed to does not hold any more


class Obstacle(StrEnum):
    """Why nothing is charged now."""

    NOT_ON = "not_on"
    NO_CONSENT = "no_consent"
    ENOUGH_CREDITS = "enough_credits"
    NOTHING_SOLD = "nothing_sold"
    FROZEN = "frozen"
    CLAW_BACK_DEBT = "claw_back_debt"
    ATTEMPT_OPEN = "attempt_open"
    REFUND_OPEN = "refund_open"
    TOO_SOON = "too_soon"
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that decides, read under the balance's lock. Money is of one currency, the consent's."""

    is_on: bool
    consent_gap: str = ""  # why what was agreed to does not hold any more
    available: Decimal
    threshold: Decimal
    is_selling: bool = True
    is_frozen: bool = False
    claw_back_debt: Decimal = Decimal(0)
    has_open_attempt: bool = False
    has_open_refund: bool = False
    last_sent_at: datetime | None = None
    declines: int = 0  # in a row, since the consent
    last_declined_at: datetime | None = None
    spent_minor: int = 0  # this month, with what may still be taken
    price_minor: int
    ceiling_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What to do, why not to charge, and for a wait until when."""

    verdict: Verdict
    obstacle: Obstacle | None = None
    until: datetime | None = None
    most_minor: int = 0  # what may be charged, tax included


def judge(*, situation: Situation, now: datetime) -> Judgement:
    """Whether to charge now."""
    if not situation.is_on:
        return Judgement(verdict=Verdict.FORGET, obstacle=Obstacle.NOT_ON)
    if situation.consent_gap:
        return Judgement(verdict=Verdict.PAUSE, obstacle=Obstacle.NO_CONSENT)
    if situation.available >= situation.threshold:
        return Judgement(verdict=Verdict.FORGET, obstacle=Obstacle.ENOUGH_CREDITS)
    waits = [_wait(obstacle, until) for obstacle, until in _obstacles(situation, now) if until > now]
    if waits:
        return waits[0]
    return Judgement(verdict=Verdict.CHARGE, most_minor=situation.ceiling_minor - situation.spent_minor)


def month_start(now: datetime) -> datetime:
    """When the UTC month began."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month_start(now: datetime) -> datetime:
    """When the next UTC month begins."""
    return month_start(month_start(now) + timedelta(days=32))


def retry_at(*, declines: int, declined_at: datetime) -> datetime | None:
    """When to try again after so many declines in a row; None when it is turned off instead."""
    return None if declines >= MOST_DECLINES else declined_at + AFTER_DECLINES[declines - 1]


def count_declines(outcomes: Iterable[bool | None]) -> int:
    """How many were declined in a row; newest first: True paid, False declined, None neither, which breaks no row."""
    count = 0
    for is_paid in outcomes:
        if is_paid:
            break
        count += is_paid is False
    return count


def _obstacles(situation: Situation, now: datetime) -> Iterable[tuple[Obstacle, datetime]]:
    if situation.has_open_attempt:
        yield Obstacle.ATTEMPT_OPEN, now + _FOLLOW_ATTEMPT
    if not situation.is_selling:
        yield Obstacle.NOTHING_SOLD, now + _LOOK_AGAIN
    if situation.is_frozen:
        yield Obstacle.FROZEN, now + _LOOK_AGAIN
    if situation.claw_back_debt > 0:
        yield Obstacle.CLAW_BACK_DEBT, now + _LOOK_AGAIN
    if situation.has_open_refund:
        yield Obstacle.REFUND_OPEN, now + _LOOK_AGAIN
    if situation.spent_minor + situation.price_minor > situation.ceiling_minor:
        yield Obstacle.CEILING, next_month_start(now)
    if situation.declines and situation.last_declined_at is not None:
        tried_again_at = retry_at(declines=situation.declines, declined_at=situation.last_declined_at)
        yield Obstacle.TOO_SOON, tried_again_at or now + _LOOK_AGAIN
    if situation.last_sent_at is not None:
        yield Obstacle.TOO_SOON, situation.last_sent_at + BETWEEN_ATTEMPTS


def _wait(obstacle: Obstacle, until: datetime) -> Judgement:
    return Judgement(verdict=Verdict.WAIT, obstacle=obstacle, until=until)
