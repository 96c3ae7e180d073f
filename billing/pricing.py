"""What a payment's facts are worth in credits (pure).

The target is a function of facts that only grow, so the order in which they came cannot matter. Money that goes back
belongs here too: it will lower the target, and what posts the difference stays as it is.
"""

from dataclasses import dataclass
from decimal import Decimal

from billing.money import ZERO, format_money


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was offered before Stripe was called: so many credits for this price, before discount and tax."""

    credits: Decimal
    bonus_credits: Decimal
    amount_minor: int
    currency: str

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


def find_mismatch(*, terms: Terms, collected: Collected) -> str:
    """Why what was collected is not what was offered, for staff to read; empty if it is.

    Discounts and taxes change the amount, never the subtotal; where there is no subtotal the amount itself must fit.
    """
    if collected.currency != terms.currency:
        return f"Paid in {collected.currency.upper()}, offered in {terms.currency.upper()}."
    compared = collected.amount_minor if collected.subtotal_minor is None else collected.subtotal_minor
    if compared != terms.amount_minor:
        paid = format_money(amount_minor=compared, currency=terms.currency)
        offered = format_money(amount_minor=terms.amount_minor, currency=terms.currency)
        return f"Paid for {paid}, offered for {offered}."
    return ""


def target_credits(*, terms: Terms, collected: Collected | None) -> Decimal:
    """How many credits the ledger should hold for a payment, given what has been collected so far."""
    if collected is None or find_mismatch(terms=terms, collected=collected):
        return ZERO
    return terms.granted
