"""The books of one customer: what each entry, and each movement of money, changes in the accounts (pure).

Money follows grants. Of each payment the figures (tax, deferred, earned, breakage) are a function of its money and of
what became of its credits; a line of the journal is the change of a figure. So nothing is ever a plug, and the lines of
a payment add up to its figures to the minor unit. `docs/books.md` has worked examples.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from billing.kinds import UNDONE_BY_MONEY, AllocationKind, EntryKind
from billing.ledger.books_debts import ClawBack
from billing.ledger.books_lots import Figures, Money, PaidLot
from billing.ledger.books_shapes import (
    AllocationRow,
    BookAccount,
    Booking,
    BookReason,
    BookStep,
    GrantRow,
    JournalLine,
    MoneyRow,
)
from billing.money import ZERO


@dataclass(slots=True)
class CustomerBooks:
    """What the books know of one customer. Memory grows with payments and grants, not with entries."""

    lots: dict[int, PaidLot] = field(default_factory=dict)
    claw_backs: dict[int, ClawBack] = field(default_factory=dict)
    _lot_of_grant: dict[int, PaidLot | None] = field(default_factory=dict)

    def book(self, step: BookStep) -> Booking:
        """The lines that a step makes. Feed every step of the customer, in order, from the first.

        Money moves first, then credits: what changes of the earned sum with money given back is contra revenue, all
        other change of it is revenue.

        Raises:
            RuntimeError: the rows contradict each other; no line is made up.
        """
        booking = Booking(step)
        for movement in step.movements:
            self._move_money(booking, movement)
        touched: dict[int, PaidLot] = {}
        if step.grant:
            self._bring_in(step.grant, touched)
        self._remember_reversed_revenue(booking)
        for row in step.allocations:
            self._move_credits(booking, row, touched)
        for lot in touched.values():
            _book_change(booking, lot, BookReason.CREDITS, earned=BookAccount.REVENUE)
        return booking

    def _move_money(self, booking: Booking, row: MoneyRow) -> None:
        lot = self.lots.setdefault(row.payment_id, PaidLot(row.payment_id, row.currency))
        if lot.currency != row.currency:  # nothing was collected in the first one after all
            self._set_money(booking, lot, Money())
            lot.currency = row.currency
        money = Money(row.collected_minor, row.tax_minor, row.given_back_minor, row.from_balance_minor, row.kept)
        self._set_money(booking, lot, money)

    def _set_money(self, booking: Booking, lot: PaidLot, money: Money) -> None:
        """Book what was collected, then what was given back."""
        before, earned = lot.money, lot.booked.earned_minor
        back_before = min(before.given_back_minor, max(0, money.collected_minor))
        # What is kept changes with the money that changes it.
        is_kept_later = before.kept is not None and money.given_back_minor != before.given_back_minor
        kept = before.kept if is_kept_later else money.kept
        between = lot.money = replace(money, given_back_minor=back_before, kept=kept)
        # Less collected than before: a plan was changed down, and what that leaves is money of the customer's again.
        is_less = money.kept is not None and money.collected_minor < before.collected_minor
        account = BookAccount.REFUNDS if is_less else BookAccount.REVENUE
        _book_change(booking, lot, BookReason.COLLECTED, earned=account, before=before)
        if not is_less:
            earned = lot.booked.earned_minor
        lot.money = money
        _book_change(booking, lot, BookReason.GIVEN_BACK, earned=BookAccount.REFUNDS, before=between)
        lot.reversed_minor = max(0, lot.reversed_minor + earned - lot.booked.earned_minor)

    def _bring_in(self, grant: GrantRow, touched: dict[int, PaidLot]) -> None:
        """A grant without a payment has no lot: it moves no money."""
        lot = None
        if grant.payment_id is not None:
            lot = self.lots.setdefault(grant.payment_id, PaidLot(grant.payment_id))
            lot.granted += grant.amount
            touched[lot.payment_id] = lot
        self._lot_of_grant[grant.grant_id] = lot

    def _move_credits(self, booking: Booking, row: AllocationRow, touched: dict[int, PaidLot]) -> None:
        lot = None if row.grant_id is None else self._find_lot(row.grant_id)
        is_own = lot is not None and _is_claw_back(row.entry_kind) and row.entry_payment_id == lot.payment_id
        if lot is not None:
            touched[lot.payment_id] = lot
            if row.entry_kind is EntryKind.EXPIRY:
                lot.expired += row.amount
            elif not is_own:
                lot.used += row.amount
        has_no_price = row.grant_id is not None and (lot is None or not lot.money.collected_minor)
        if has_no_price and not is_own and row.entry_kind is not EntryKind.EXPIRY:
            booking.promotional_credits += row.amount
        claw_back = self.claw_backs.get(row.entry_id)
        if claw_back is not None:
            _follow_debt(booking, claw_back, row, is_own=is_own)

    def _remember_reversed_revenue(self, booking: Booking) -> None:
        """A claw-back remembers the revenue that was reversed with it, for what its own grants did not give."""
        step = booking.step
        if step.amount >= 0 or not step.kind or not _is_claw_back(step.kind) or not step.entry_id:
            return
        lot = self.lots.get(step.payment_id or 0)
        if lot is None:
            return
        if step.kind is EntryKind.WRITE_OFF:
            minor = self._reopen(booking, lot)
        else:
            minor, lot.reversed_minor = lot.reversed_minor, 0
        own, others = self._drawn_by(step)
        uncovered = -step.amount - own - others
        if others + uncovered:
            claw_back = self.claw_backs[step.entry_id] = ClawBack(lot)
            claw_back.attach(uncovered=uncovered, recovered=others, minor=minor)

    def _reopen(self, booking: Booking, lot: PaidLot) -> int:
        """What a written-off debt that is owed again takes back from bad debt; the newest claw-back first."""
        rest, minor = -booking.step.amount, 0
        for claw_back in reversed(self.claw_backs.values()):
            if claw_back.lot is lot:
                share = min(rest, claw_back.written_off.credits)
                minor += claw_back.reopen(share)
                rest -= share
        _book_write_off(booking, lot, -minor)
        return minor

    def _drawn_by(self, step: BookStep) -> tuple[Decimal, Decimal]:
        """What an outgoing entry drew at once: on its own payment's grants, and on those of others."""
        own = others = ZERO
        for row in step.allocations:
            if row.entry_id == step.entry_id and row.grant_id is not None and row.kind is AllocationKind.DRAW:
                lot = self._find_lot(row.grant_id)
                if lot is not None and lot.payment_id == step.payment_id:
                    own += row.amount
                else:
                    others += row.amount
        return own, others

    def _find_lot(self, grant_id: int) -> PaidLot | None:
        if grant_id not in self._lot_of_grant:
            raise RuntimeError(f"The grant {grant_id} was drawn on before it came in.")
        return self._lot_of_grant[grant_id]


def _is_claw_back(kind: EntryKind) -> bool:
    return kind in UNDONE_BY_MONEY


def _follow_debt(booking: Booking, claw_back: ClawBack, row: AllocationRow, *, is_own: bool) -> None:
    """Let what a claw-back remembers follow the part that a row moves."""
    if row.kind is AllocationKind.WRITE_OFF:
        _book_write_off(booking, claw_back.lot, claw_back.write_off(-row.amount))
    elif row.kind is AllocationKind.COVER:
        claw_back.cover(credits=row.amount, is_own=is_own)
    elif row.grant_id is None:
        claw_back.uncovered.take(-row.amount)
    elif row.kind is not AllocationKind.DRAW and not is_own:
        claw_back.recovered.take(-row.amount)


def _book_change(
    booking: Booking, lot: PaidLot, reason: BookReason, *, earned: BookAccount, before: Money | None = None
) -> None:
    """Book the difference between a lot's figures and those booked before; `earned` says which account earns.

    `before` is the lot's money before it moved, where it did.
    """
    booked, after = lot.booked, lot.figures()
    lot.booked = after
    if before is not None:
        _add_line(booking, lot, reason, BookAccount.CASH, lot.money.cash_minor - before.cash_minor)
        paid_from = lot.money.from_balance_minor - before.from_balance_minor
        _add_line(booking, lot, reason, BookAccount.CUSTOMER_BALANCE, paid_from)
    for account, figure in _CREDITED:
        _add_line(booking, lot, reason, account or earned, figure(booked) - figure(after))


_CREDITED: tuple[tuple[BookAccount | None, Callable[[Figures], int]], ...] = (
    (BookAccount.TAX, lambda figures: figures.tax_minor),
    (BookAccount.DEFERRED, lambda figures: figures.deferred_minor),
    (None, lambda figures: figures.earned_minor),
    (BookAccount.BREAKAGE, lambda figures: figures.breakage_minor),
)


def _book_write_off(booking: Booking, lot: PaidLot, amount_minor: int) -> None:
    """Reversed revenue is bad debt once nobody will pay it: from the one account to the other."""
    _add_line(booking, lot, BookReason.WRITTEN_OFF, BookAccount.REFUNDS, -amount_minor)
    _add_line(booking, lot, BookReason.WRITTEN_OFF, BookAccount.BAD_DEBT, amount_minor)


def _add_line(booking: Booking, lot: PaidLot, reason: BookReason, account: BookAccount, amount_minor: int) -> None:
    if amount_minor:
        booking.lines.append(
            JournalLine(
                step=booking.step,
                payment_id=lot.payment_id,
                reason=reason,
                account=account,
                currency=lot.currency,
                amount_minor=amount_minor,
            )
        )
