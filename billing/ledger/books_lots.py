"""What a payment has earned (pure): its money, spread over its credits by what became of them.

Money is counted per payment: the grants of one payment are one lot, in its payment's currency.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from billing.money import ZERO, share_credits_down, share_minor


@dataclass(frozen=True, slots=True)
class Money:
    """What a payment has brought, all in minor units. Tax is part of what was collected and of what was given back."""

    collected_minor: int = 0
    tax_minor: int = 0
    given_back_minor: int = 0
    from_balance_minor: int = 0
    kept: Decimal | None = None

    @property
    def cash_minor(self) -> int:
        """What is at Stripe of it in money: the rest came out of, or went into, the customer's balance there."""
        return self.collected_minor - self.given_back_minor - self.from_balance_minor

    @property
    def tax_kept_minor(self) -> int:
        """The tax that is still owed: it goes back in proportion, counted on the whole sum, half to even."""
        if not self.collected_minor:
            return 0
        # A period of a plan may have collected less than nothing: its share of an invoice that another one pays.
        sign = 1 if self.collected_minor > 0 else -1
        part, whole = sign * self.given_back_minor, sign * self.collected_minor
        back = share_minor(amount_minor=self.tax_minor, part=part, whole=whole)
        return self.tax_minor - back

    @property
    def net_minor(self) -> int:
        """What is left for us, without tax."""
        return self.collected_minor - self.given_back_minor - self.tax_kept_minor


@dataclass(frozen=True, slots=True)
class Figures:
    """A payment's money by what it is: collected - given back = tax + deferred + earned + breakage."""

    tax_minor: int = 0
    deferred_minor: int = 0
    earned_minor: int = 0
    breakage_minor: int = 0


@dataclass(slots=True)
class PaidLot:
    """A payment's money and credits so far, and the figures that were booked of them.

    `used` counts what anything but its own claw-backs and its expiry drew on its grants. `reversed_minor` is
    the revenue that money given back has reversed, until the claw-back that follows remembers it.
    """

    payment_id: int
    currency: str = ""
    money: Money = field(default_factory=Money)
    granted: Decimal = ZERO
    used: Decimal = ZERO
    expired: Decimal = ZERO
    booked: Figures = field(default_factory=Figures)
    reversed_minor: int = 0

    @property
    def kept(self) -> Decimal:
        """How many of its credits are paid for: a refund takes the rest back. A price of 0 keeps them all."""
        money = self.money
        if money.kept is not None:  # a plan's period: its lines say it
            return money.kept
        if not money.collected_minor:
            return self.granted
        kept_minor = money.collected_minor - money.given_back_minor
        return share_credits_down(amount=self.granted, part=kept_minor, whole=money.collected_minor)

    def figures(self) -> Figures:
        """Used credits are earned, expired ones are breakage, the rest is owed; so is money without any credits.

        Rounded on the running sums, half to even, so that parts always add up to the whole.
        """
        net, kept = self.money.net_minor, self.kept
        if not kept:
            return Figures(self.money.tax_kept_minor, net)
        used = min(self.used, kept)
        gone = used + min(self.expired, kept - used)
        earned = share_minor(amount_minor=net, part=used, whole=kept)
        earned_or_lost = share_minor(amount_minor=net, part=gone, whole=kept)
        return Figures(self.money.tax_kept_minor, net - earned_or_lost, earned, earned_or_lost - earned)
