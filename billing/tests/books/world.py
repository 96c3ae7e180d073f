"""One customer in memory: the real planner without a database, and the books that follow it entry by entry.

Payments are made and given back here as convergence does it, so that a test says "pay back 300 cents" and sees lines.
"""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

from billing.kinds import UNDONE_BY_MONEY, AllocationKind, EntryKind
from billing.ledger.books import CustomerBooks
from billing.ledger.books_shapes import (
    AllocationRow,
    Booking,
    BookStep,
    GrantRow,
    JournalLine,
    MoneyRow,
)
from billing.ledger.books_totals import BooksTotals
from billing.ledger.lapsing import expire_lapsed
from billing.ledger.planning import check_books, plan_posting
from billing.ledger.shapes import Account, NewEntry, Posting

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
MILLIONTH = Decimal("0.000001")
Amount = Decimal | int | str


@dataclass
class Paid:
    """A payment of the test."""

    id: int
    credits: Decimal
    collected: int
    currency: str
    tax: int = 0
    back: int = 0


@dataclass
class World:
    account: Account = field(
        default_factory=lambda: Account(
            customer_id=1, posted=Decimal(0), held=Decimal(0), overdraft_limit=Decimal(10**9), last_sequence=0
        )
    )
    books: CustomerBooks = field(default_factory=CustomerBooks)
    now: datetime = EPOCH
    payments: dict[int, Paid] = field(default_factory=dict)
    bookings: list[Booking] = field(default_factory=list)
    totals: BooksTotals = field(default_factory=BooksTotals)
    keys: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    booked_entries: int = 0
    booked_allocations: int = 0

    # What happens

    def buy(self, credits: Amount, cents: int, *, currency: str = "usd", tax: int = 0, days: int | None = None) -> Paid:
        """Pay and get the credits: `cents` is what was collected, tax included."""
        paid = self._new_payment(credits, cents, currency, tax)
        self.grant(paid, days=days, has_money=True)
        return paid

    def pay(self, credits: Amount, cents: int, *, currency: str = "usd", tax: int = 0) -> Paid:
        """Money arrives that does not fit our offer: nothing is granted (yet)."""
        paid = self._new_payment(credits, cents, currency, tax)
        self._book_money(paid)
        return paid

    def grant(self, paid: Paid, *, days: int | None = None, has_money: bool = False) -> None:
        expires_at = None if days is None else self.now + timedelta(days=days)
        self._post(
            EntryKind.PURCHASE,
            paid.credits,
            payment_id=paid.id,
            expires_at=expires_at,
            paid=paid if has_money else None,
        )

    def give(self, credits: Amount, *, days: int | None = None) -> None:
        expires_at = None if days is None else self.now + timedelta(days=days)
        self._post(EntryKind.PROMOTION, Decimal(credits), expires_at=expires_at)

    def use(self, credits: Amount) -> int:
        """Usage; gives its entry, for a correction."""
        return self._post(EntryKind.USAGE, -Decimal(credits))

    def correct(self, entry: int, credits: Amount) -> None:
        self._post(EntryKind.USAGE_CORRECTION, Decimal(credits), corrects_id=-entry)

    def staff_debit(self, credits: Amount) -> None:
        self._post(EntryKind.ADJUSTMENT, -Decimal(credits), may_leave_debt=True)

    def write_off(self, credits: Amount) -> None:
        self._post(EntryKind.WRITE_OFF, Decimal(credits))

    def pass_days(self, days: int) -> None:
        """Time passes, and what has lapsed expires."""
        self.now += timedelta(days=days)
        expire_lapsed(account=self.account, now=self.now)
        self._book_new(None)

    def pay_back(self, paid: Paid, cents: int, *, kind: EntryKind = EntryKind.REFUND) -> None:
        """So much more was given back; negative: so much came back to us. The credits follow."""
        paid.back += cents
        target = self.taken_target(paid)
        taken = -sum(
            (e.amount for e in self.entries if e.payment_id == paid.id and e.kind not in _NOT_TAKING), start=Decimal(0)
        )
        if target > taken:
            self._post(kind, taken - target, payment_id=paid.id, paid=paid)
        elif target < taken:
            reopened = taken - target - self._returnable(paid)
            if reopened > 0:
                self._post(EntryKind.WRITE_OFF, -reopened, payment_id=paid.id, paid=paid, may_leave_debt=True)
            back = EntryKind.REFUND_REVERSAL if kind is EntryKind.REFUND else EntryKind.DISPUTE_REVERSAL
            self._post(back, taken - target, payment_id=paid.id, paid=None if reopened > 0 else paid)
        else:
            self._book_money(paid)

    # What the test looks at

    @property
    def entries(self) -> list[NewEntry]:
        return self.account.entries

    @property
    def lines(self) -> list[JournalLine]:
        return [line for booking in self.bookings for line in booking.lines]

    def last(self) -> dict[str, int]:
        """What the last step booked, by account; credits are negative."""
        return _sums(self.bookings[-1].lines)

    def balances(self, currency: str = "usd") -> dict[str, int]:
        """The balance of each account that has one."""
        return _sums([line for line in self.lines if line.currency == currency])

    def balances_of(self, paid: Paid) -> dict[str, int]:
        return _sums([line for line in self.lines if line.payment_id == paid.id])

    def taken_target(self, paid: Paid) -> Decimal:
        """What the payment's money that went back takes of its credits; what expired counts as taken, last."""
        used, expired = self.drawn(paid)
        target = paid.credits - self.kept(paid)
        return target - max(Decimal(0), min(expired, target - (paid.credits - used - expired)))

    def kept(self, paid: Paid) -> Decimal:
        if not paid.collected:
            return paid.credits
        exact = Fraction(paid.credits) * (paid.collected - paid.back) / paid.collected
        return (Decimal(exact.numerator) / exact.denominator).quantize(MILLIONTH, ROUND_DOWN)

    def drawn(self, paid: Paid) -> tuple[Decimal, Decimal]:
        """Used and expired of a payment's grants, counted from the allocations as they are."""
        grants = {new.grant.ref for new in self.account.new_grants if new.grant.payment_id == paid.id}
        used = expired = Decimal(0)
        for row in self.account.allocations:
            if row.grant_ref in grants:
                entry = self.entries[-row.entry_ref - 1]
                if entry.kind is EntryKind.EXPIRY:
                    expired += row.amount
                elif entry.kind not in UNDONE_BY_MONEY or entry.payment_id != paid.id:
                    used += row.amount
        return used, expired

    def expected_figures(self, paid: Paid) -> dict[str, int]:
        """Tax, deferred, earned and breakage once more, in fractions and from scratch."""
        tax = paid.tax - round(Fraction(paid.tax * paid.back, paid.collected)) if paid.collected else 0
        net, kept = paid.collected - paid.back - tax, self.kept(paid)
        if not any(new.grant.payment_id == paid.id for new in self.account.new_grants) or not kept:
            return _without_zeros({"tax_payable": -tax, "deferred_revenue": -net})
        used, expired = self.drawn(paid)
        e = min(used, kept)
        b = min(expired, kept - e)
        earned = round(net * Fraction(e) / Fraction(kept))
        breakage = round(net * Fraction(e + b) / Fraction(kept)) - earned
        figures = {"tax_payable": -tax, "deferred_revenue": earned + breakage - net, "breakage": -breakage}
        return _without_zeros({**figures, "earned": -earned})

    def check(self) -> None:
        """All that holds after every step."""
        self.check_debts()
        for booking in self.bookings[-3:]:
            parts = {(line.reason, line.payment_id, line.currency) for line in booking.lines}
            for part in parts:
                assert not sum(n.amount_minor for n in booking.lines if (n.reason, n.payment_id, n.currency) == part)
        for paid in self.payments.values():
            found = self.balances_of(paid)
            cash = found.pop("cash_at_stripe", 0)
            assert cash == paid.collected - paid.back
            earned = sum(found.pop(account, 0) for account in _EARNED)
            assert _without_zeros({**found, "earned": earned}) == self.expected_figures(paid)
        for currency in {paid.currency for paid in self.payments.values()}:
            assert sum(self.balances(currency).values()) == 0
            trial = self.totals.trial_balance(currency=currency)
            assert {name.value: one.balance_minor for name, one in trial.items() if one.balance_minor} == self.balances(
                currency
            )

    def check_debts(self) -> None:
        """What a claw-back remembers follows the credits that it took, and what is bad debt is what was written off."""
        uncovered = {part.entry_ref: part.amount for part in self.account.uncovered}
        own = {new.grant.ref: new.grant.payment_id for new in self.account.new_grants}
        bad_debt: Counter[str] = Counter()
        for entry, claw_back in self.books.claw_backs.items():
            rows = [row for row in self.account.allocations if row.entry_ref == -entry]
            of_others = [row for row in rows if row.grant_ref and own[row.grant_ref] != claw_back.lot.payment_id]
            given_up = [row for row in rows if row.kind is AllocationKind.WRITE_OFF]
            assert claw_back.uncovered.credits == uncovered.get(-entry, 0)
            assert claw_back.recovered.credits == sum(row.amount for row in of_others)
            assert claw_back.written_off.credits <= -sum(row.amount for row in given_up)
            for part in (claw_back.uncovered, claw_back.recovered, claw_back.written_off):
                assert part.minor >= 0
                assert part.credits or not part.minor
            bad_debt[claw_back.lot.currency] += claw_back.written_off.minor
        for currency, amount in bad_debt.items():
            assert self.balances(currency).get("bad_debt", 0) == amount

    # How

    def _new_payment(self, credits: Amount, cents: int, currency: str, tax: int) -> Paid:
        paid = Paid(len(self.payments) + 1, Decimal(credits), cents, currency, tax)
        self.payments[paid.id] = paid
        return paid

    def _post(self, kind: EntryKind, amount: Decimal, *, paid: Paid | None = None, **fields: object) -> int:
        posting = Posting(customer_id=1, kind=kind, amount=amount, key=f"api:{next(self.keys)}", **fields)  # type: ignore[arg-type]
        expire_lapsed(account=self.account, now=self.now)
        ref = plan_posting(account=self.account, posting=posting, now=self.now)
        check_books(self.account)
        self._book_new(paid, ref)
        return -ref

    def _book_new(self, paid: Paid | None, ref: int = 0) -> None:
        """Book the entries that were planned since; the money moved with the one of `ref`."""
        allocations = self.account.allocations[self.booked_allocations :]
        for entry in self.entries[self.booked_entries :]:
            grants = [new.grant for new in self.account.new_grants if new.grant.entry_ref == -entry.sequence]
            step = BookStep(
                customer_id=1,
                occurred_at=entry.occurred_at,
                booked_at=self.now,
                sequence=entry.sequence,
                entry_id=entry.sequence,
                kind=entry.kind,
                amount=entry.amount,
                payment_id=entry.payment_id,
                grant=GrantRow(grant_id=grants[0].ref, payment_id=grants[0].payment_id, amount=grants[0].amount)
                if grants
                else None,
                movements=(_money_of(paid),) if paid and -entry.sequence == ref else (),
                allocations=tuple(
                    AllocationRow(
                        entry_id=-row.entry_ref,
                        entry_kind=self.entries[-row.entry_ref - 1].kind,
                        entry_payment_id=self.entries[-row.entry_ref - 1].payment_id,
                        grant_id=row.grant_ref,
                        amount=row.amount,
                        kind=row.kind,
                    )
                    for row in allocations
                    if row.cause_ref == -entry.sequence
                ),
            )
            self._book(step)
        self.booked_entries, self.booked_allocations = len(self.entries), len(self.account.allocations)

    def _book_money(self, paid: Paid) -> None:
        self._book(BookStep(customer_id=1, occurred_at=self.now, booked_at=self.now, movements=(_money_of(paid),)))

    def _book(self, step: BookStep) -> None:
        self.bookings.append(self.books.book(step))
        self.totals.add(self.bookings[-1])

    def _returnable(self, paid: Paid) -> Decimal:
        past_entries = self.account.past_entries.values()
        return sum(
            (p.returnable() for p in past_entries if p.kind in UNDONE_BY_MONEY and p.payment_id == paid.id),
            start=Decimal(0),
        )


_NOT_TAKING = (EntryKind.PURCHASE, EntryKind.EXPIRY, EntryKind.WRITE_OFF)
_EARNED = ("revenue", "refunds_of_consumed_credits", "bad_debt")


def _money_of(paid: Paid) -> MoneyRow:
    return MoneyRow(
        payment_id=paid.id,
        currency=paid.currency,
        collected_minor=paid.collected,
        tax_minor=paid.tax,
        given_back_minor=paid.back,
    )


def _sums(lines: list[JournalLine]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.account.value] = sums.get(line.account.value, 0) + line.amount_minor
    return _without_zeros(sums)


def _without_zeros(sums: dict[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in sums.items() if amount}
