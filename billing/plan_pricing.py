"""What the paid lines of a subscription's period are worth in credits (pure).

A target is a sum over a set of lines, never below zero and rounded down once, so the order in which invoices came
cannot matter, and going up, down and up again mints nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.money import CREDIT_PLACES, ZERO

_STEPS = 10**CREDIT_PLACES


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidLine:
    """A line of a paid invoice: its amount before discount, and the price and allowance of one seat for one period.

    `kept_minor` of `paid_minor` of its invoice came and did not go back; an invoice that asks for nothing has 0 of 0.
    """

    amount_minor: int
    unit_amount_minor: int
    unit_credits: Decimal
    discount_minor: int = 0
    kept_minor: int = 0
    paid_minor: int = 0


def plan_target(lines: Sequence[PaidLine]) -> Decimal:
    """The credits that a period's lines allow in all, at six places.

    Each line counts allowance x amount / price, signed, as far as its invoice's money is still here. A line that a
    discount made free grants nothing, and so does not take anything back later.
    """
    total = sum((_worth(line) for line in lines), Fraction(0))
    return max(ZERO, Decimal(total.numerator * _STEPS // total.denominator).scaleb(-CREDIT_PLACES))


def plan_posted(*, target: Decimal, consumed: Decimal, expired: Decimal) -> Decimal:
    """What should be posted for a period, its expiry aside: the target, and what has expired of what it lacks.

    `consumed` was drawn on the period's grants by anything but its own reversals, `expired` by their expiry. Credits
    that have expired count as taken, last: only where the rest of the grants does not suffice.
    """
    return target + min(max(consumed + expired - target, ZERO), expired)


def is_counted(*, asked_minor: int, from_balance_minor: int) -> bool:
    """Whether a paid invoice counts: one that asked for nothing in the end grants nothing.

    Such are a trial's, a 100 % code's, and one that credit notes took all off before it was paid. Money of the
    customer's that paid it counts; a debt to Stripe that happened to be settled with it does not.
    """
    return bool(asked_minor) or from_balance_minor > 0


def split_minor(*, amount_minor: int, weights: Sequence[int]) -> list[int]:
    """An amount in parts as large as the weights (signed; together not 0), exact to the minor unit."""
    whole, so_far, given, parts = sum(weights), 0, 0, []
    for weight in weights:
        so_far += weight
        until_here = amount_minor * so_far // whole
        parts.append(until_here - given)
        given = until_here
    return parts


def _worth(line: PaidLine) -> Fraction:
    if line.discount_minor and line.discount_minor == line.amount_minor:
        return Fraction(0)
    worth = Fraction(line.unit_credits) * line.amount_minor / line.unit_amount_minor
    return worth * line.kept_minor / line.paid_minor if line.paid_minor else worth
