"""The revenue that a claw-back reversed, kept beside the credits it took (pure).

Staff may write off what nobody pays back. The books then need to know how much revenue was reversed for just that part.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from billing.ledger.books_lots import PaidLot
from billing.money import ZERO, share_minor


@dataclass(slots=True)
class Remembered:
    """Credits and the money remembered for them. What is taken out in parts adds up to the minor unit."""

    credits: Decimal = ZERO
    minor: int = 0
    _whole_credits: Decimal = ZERO
    _whole_minor: int = 0

    def put(self, *, credits: Decimal, minor: int) -> None:
        """Add credits and their money."""
        self.credits += credits
        self.minor += minor
        self._whole_credits, self._whole_minor = self.credits, self.minor

    def take(self, credits: Decimal) -> int:
        """Take credits out; gives their share of the money, counted on what is left, half to even.

        Raises:
            RuntimeError: there are fewer, so the allocations contradict each other.
        """
        left = self.credits - credits
        if left < 0 or credits < 0:
            raise RuntimeError(f"{credits} credits cannot be taken out of {self.credits} in the books.")
        if not credits:
            return 0
        left_minor = share_minor(amount_minor=self._whole_minor, part=left, whole=self._whole_credits)
        taken = self.minor - left_minor
        self.credits, self.minor = left, left_minor
        return taken


@dataclass(slots=True)
class ClawBack:
    """What a claw-back took from anywhere but its own payment's grants, by what became of it.

    What credits that come back undo is taken out of its part and forgotten: their money came back with them.
    `uncovered`: nobody has paid it. `recovered`: other grants have. `written_off`: staff have given it up.
    """

    lot: PaidLot
    uncovered: Remembered = field(default_factory=Remembered)
    recovered: Remembered = field(default_factory=Remembered)
    written_off: Remembered = field(default_factory=Remembered)

    def attach(self, *, uncovered: Decimal, recovered: Decimal, minor: int) -> None:
        """Remember reversed revenue for what was taken, in proportion."""
        of_recovered = share_minor(amount_minor=minor, part=recovered, whole=recovered + uncovered)
        self.recovered.put(credits=recovered, minor=of_recovered)
        self.uncovered.put(credits=uncovered, minor=minor - of_recovered)

    def cover(self, *, credits: Decimal, is_own: bool) -> None:
        """A later grant pays an uncovered part. Credits of its own payment are nothing to remember."""
        minor = self.uncovered.take(credits)
        if not is_own:
            self.recovered.put(credits=credits, minor=minor)

    def write_off(self, credits: Decimal) -> int:
        """Give up an uncovered part; gives the revenue that was reversed for it."""
        minor = self.uncovered.take(credits)
        self.written_off.put(credits=credits, minor=minor)
        return minor

    def reopen(self, credits: Decimal) -> int:
        """Take a written-off part out, to be owed again; gives what had become bad debt of it."""
        return self.written_off.take(credits)
