"""The books added up: a trial balance, and what each month brought (pure).

Months are those in which lines were booked (UTC), so a month that is over never changes again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal

from billing.ledger.books_shapes import BookAccount, Booking, BookReason
from billing.money import ZERO

_MONEY = (BookAccount.CASH, BookAccount.CUSTOMER_BALANCE)


@dataclass(slots=True)
class AccountTotals:
    """Debits and credits of one account in one currency, both positive, in minor units."""

    debit_minor: int = 0
    credit_minor: int = 0

    @property
    def balance_minor(self) -> int:
        """Debit positive, credit negative."""
        return self.debit_minor - self.credit_minor

    def add(self, amount_minor: int) -> None:
        """Add one line's amount, debit positive."""
        if amount_minor > 0:
            self.debit_minor += amount_minor
        else:
            self.credit_minor -= amount_minor


@dataclass(slots=True)
class MonthTotals:
    """What a month changed in one currency. `given_back_minor` is less what came back to us in it."""

    collected_minor: int = 0
    given_back_minor: int = 0
    accounts: dict[BookAccount, AccountTotals] = field(
        default_factory=lambda: {account: AccountTotals() for account in BookAccount}
    )

    def credited(self, account: BookAccount) -> int:
        """By how much a credit account (tax, deferred, revenue, breakage) grew."""
        return -self.accounts[account].balance_minor

    def debited(self, account: BookAccount) -> int:
        """By how much a debit account (cash, refunds of consumed credits, bad debt) grew."""
        return self.accounts[account].balance_minor


@dataclass(slots=True)
class BooksTotals:
    """Sums over bookings, by month and currency. Memory grows with months and currencies only."""

    months: dict[tuple[date, str], MonthTotals] = field(default_factory=dict)
    promotional_credits: dict[date, Decimal] = field(default_factory=dict)

    def add(self, booking: Booking) -> None:
        """Add what one step booked."""
        month = booking.step.booked_at.astimezone(UTC).date().replace(day=1)
        for line in booking.lines:
            totals = self.months.setdefault((month, line.currency), MonthTotals())
            totals.accounts[line.account].add(line.amount_minor)
            if line.account in _MONEY and line.reason is BookReason.COLLECTED:
                totals.collected_minor += line.amount_minor
            elif line.account in _MONEY:
                totals.given_back_minor -= line.amount_minor
        if booking.promotional_credits:
            so_far = self.promotional_credits.get(month, ZERO)
            self.promotional_credits[month] = so_far + booking.promotional_credits

    def currencies(self) -> list[str]:
        """The currencies that money moved in, in the order of the alphabet."""
        return sorted({currency for _, currency in self.months})

    def trial_balance(self, *, currency: str, until: date | None = None) -> dict[BookAccount, AccountTotals]:
        """Debits and credits of every account, of all months or of those before `until`. The balances add up to 0."""
        result = {account: AccountTotals() for account in BookAccount}
        for (month, month_currency), totals in self.months.items():
            if month_currency == currency and (until is None or month < until):
                for account, one in totals.accounts.items():
                    result[account].debit_minor += one.debit_minor
                    result[account].credit_minor += one.credit_minor
        return result

    def by_month(self) -> Iterator[tuple[date, str, MonthTotals]]:
        """Months with their currencies, the oldest first."""
        for (month, currency), totals in sorted(self.months.items(), key=lambda item: item[0]):
            yield month, currency, totals
