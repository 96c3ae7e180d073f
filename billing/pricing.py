"""What a payment's facts are worth in credits (pure).

The target is a function of facts that only grow, so the order in which they came cannot matter, and nothing is
attributed to a single refund or dispute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from billing.money import ZERO, format_money, share_credits_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was offered before Stripe was called: so many credits for this price, before discount and tax."""

    credits: Decimal
    bonus_credits: Decimal
    amount_minor: int
    currency: str
    min_paid_minor: int = 0  # what must still be paid after a promotion code, before tax

    @property
    def granted(self) -> Decimal:
        """Pack and bonus are one grant, so that a refund takes the bonus too."""
        return self.credits + self.bonus_credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What Stripe says was collected. An intent alone knows no subtotal; a 100 % code collects 0."""

    amount_minor: int
    currency: str
    subtotal_minor: int | None
    discount_minor: int | None = None


def find_mismatch(*, terms: Terms, collected: Collected) -> str:
    """Why what was collected is not what was offered, for staff to read; empty if it is.

    Discounts and taxes change the amount, never the subtotal; where there is no subtotal the amount itself must fit. A
    discount may not take the price below what was to remain; tax does not count as paid for it.
    """
    if collected.currency != terms.currency:
        return f"Paid in {collected.currency.upper()}, offered in {terms.currency.upper()}."
    compared = collected.amount_minor if collected.subtotal_minor is None else collected.subtotal_minor
    if compared != terms.amount_minor:
        paid = format_money(amount_minor=compared, currency=terms.currency)
        offered = format_money(amount_minor=terms.amount_minor, currency=terms.currency)
        return f"Paid for {paid}, offered for {offered}."
    after_discount = terms.amount_minor - (collected.discount_minor or 0)
    if collected.discount_minor and after_discount < terms.min_paid_minor:
        paid = format_money(amount_minor=after_discount, currency=terms.currency)
        least = format_money(amount_minor=terms.min_paid_minor, currency=terms.currency)
        return f"Paid for {paid} after a promotion code, which must leave at least {least}."
    return ""


def may_take_code(*, price_minor: int, min_paid_minor: int) -> bool:
    """Whether any discount could leave enough of a price: a field for codes that cannot work is not offered."""
    return price_minor > min_paid_minor


def is_granted(*, terms: Terms, collected: Collected | None, is_accepted: bool) -> bool:
    """Whether what was collected buys what was offered: it fits, or staff have accepted that it does not."""
    return collected is not None and (is_accepted or not find_mismatch(terms=terms, collected=collected))


def credits_kept(*, granted: Decimal, paid_minor: int, given_back_minor: int) -> Decimal:
    """How many of the credits granted are still paid for, rounded down to six places.

    A function of sums, so no order of partial refunds can leave a remainder. A purchase that a code made free keeps
    everything: nothing was paid that could go back.
    """
    if paid_minor == 0:
        return granted
    back = min(paid_minor, given_back_minor)
    return share_credits_down(amount=granted, part=paid_minor - back, whole=paid_minor)


def credits_taken(*, granted: Decimal, kept: Decimal, consumed: Decimal, expired: Decimal) -> Decimal:
    """How many credits claw-backs should have taken: what is not kept, but for what had expired of its own grant.

    `consumed` was drawn on the payment's own grant by anything but its own claw-backs, `expired` by its expiry. What
    expired counts as taken, last: only where the rest of the grant does not suffice.
    """
    target = granted - kept
    by_expiry = min(max(target - (granted - consumed - expired), ZERO), expired)
    return target - by_expiry


def withdrawn_by_dispute(*, amount_minor: int, movements: Sequence[int]) -> int:
    """How much of a payment a dispute holds, in the payment's currency, given its balance transactions, oldest first.

    They are in the currency of Stripe's balance, so they count in proportion to the first withdrawal. Money can go,
    come back and go again at another rate, but never more than the dispute is about; an inquiry moves none.
    """
    first = next((-moved for moved in movements if moved < 0), 0)
    if not first:
        return 0
    out = Decimal(max(0, -sum(movements)))
    return min(amount_minor, int((amount_minor * out / first).to_integral_value(ROUND_HALF_EVEN)))
