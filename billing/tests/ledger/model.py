"""The ledger's rules once more, as a toy that moves single credits about: what the real one is compared with.

Credits are whole here, and each is a token. An outgoing entry is a list of slots, one per credit that it took; a slot
holds the lot that paid it, or None while it is uncovered. Slow and obvious on purpose.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

FREE, PLAN, BOUGHT = 10, 20, 30


@dataclass
class Lot:
    number: int
    size: int
    priority: int
    expires_at: int | None
    payment: int | None
    left: int = 0


@dataclass
class Line:
    kind: str
    amount: int
    balance_after: int
    payment: int | None = None
    slots: list[Lot | None] = field(default_factory=list)
    forgiven: int = 0


@dataclass
class HeldCredits:
    amount: int
    placed_at: int
    expires_at: int
    state: str = "open"
    ended_at: int | None = None
    cost: int | None = None


class Refused(Exception):
    pass


class ModelLedger:
    """One customer."""

    def __init__(self) -> None:
        self.lots: list[Lot] = []
        self.lines: list[Line] = []
        self.holds: list[HeldCredits] = []
        self.posted = 0
        self.is_frozen = False

    @property
    def held(self) -> int:
        return sum(hold.amount for hold in self.holds if hold.state == "open")

    @property
    def debt_slots(self) -> list[tuple[Line, int]]:
        return [(line, index) for line in self.lines for index, lot in enumerate(line.slots) if lot is None]

    def grant(
        self, *, now: int, kind: str, size: int, priority: int, expires_at: int | None, payment: int | None
    ) -> None:
        self.expire(now)
        self._line(kind, size, payment)
        self.lots.append(Lot(len(self.lots), size, priority, expires_at, payment, left=size))
        self._cover()
        self.expire(now)

    def spend(self, *, now: int, kind: str, size: int) -> None:
        self.expire(now)
        if (self.is_frozen and kind == "usage") or self.posted - self.held < size:
            raise Refused
        self._take(now, kind, size, usable=lambda lot: not self._has_lapsed(lot, now))

    def claw_back(self, *, now: int, kind: str, size: int, payment: int) -> None:
        self.expire(now)
        self._take(now, kind, size, usable=lambda lot: True, own=payment, payment=payment)

    def hold(self, *, now: int, size: int, lifetime: int) -> HeldCredits:
        self.expire(now)
        if self.is_frozen or self.posted - self.held < size:
            raise Refused
        self.holds.append(HeldCredits(size, now, now + lifetime))
        return self.holds[-1]

    def settle(self, *, now: int, hold: HeldCredits, cost: int, late_window: int) -> None:
        self.expire(now)
        if hold.state == "settled" and hold.cost == cost:
            return
        is_late = hold.state == "expired" and hold.ended_at is not None and now <= hold.ended_at + late_window
        if hold.state != "open" and not is_late:
            raise Refused
        if cost:
            self._take(
                now,
                "usage",
                cost,
                usable=lambda lot: (
                    not self._has_lapsed(lot, now) or (not is_late and hold.placed_at < (lot.expires_at or 0))
                ),
            )
        hold.state, hold.cost, hold.ended_at = "settled", cost, now
        self.expire(now)

    def end(self, *, now: int, hold: HeldCredits, state: str) -> None:
        self.expire(now)
        hold.state, hold.ended_at = state, now
        self.expire(now)

    def give_back(
        self, *, now: int, kind: str, size: int, lines: list[Line], payment: int | None, until: int | None
    ) -> None:
        self.expire(now)
        self._line(kind, size, payment)
        rest = size
        for line in lines:
            while rest and None in line.slots:
                line.slots.remove(None)
                rest -= 1
            while rest and line.slots:
                lot = line.slots.pop()
                assert lot is not None
                lot.left += 1
                rest -= 1
                was_away = line.kind != "write_off"  # else it was drawn a moment ago, by a debt that stands again
                if until and was_away and lot.expires_at is not None and lot.expires_at < until:
                    lot.expires_at = until
        assert rest == 0
        while self._move_one():
            pass
        self._cover()
        self.expire(now)

    def write_off(self, *, now: int, size: int) -> None:
        self.expire(now)
        self._line("write_off", size, None)
        for line, _ in self.debt_slots[:size]:
            line.slots.remove(None)
            line.forgiven += 1

    def take_back_write_off(self, *, now: int, size: int, payment: int) -> None:
        self.expire(now)
        self._take(now, "write_off", size, usable=lambda lot: not self._has_lapsed(lot, now), payment=payment)

    def forgiven(self, payment: int) -> int:
        """What was written off of a payment's claw-backs and does not stand again."""
        lines = [line for line in self.lines if line.payment == payment]
        stands_again = -sum(line.amount for line in lines if line.kind == "write_off" and line.amount < 0)
        return sum(line.forgiven for line in lines) - stands_again

    def expire(self, now: int) -> None:
        """Earliest lapse first; of what has lapsed, the open holds placed before it keep their sum."""
        kept_for_earlier = 0
        for lot in sorted(self.lots, key=lambda lot: (lot.expires_at or 0, lot.priority, lot.number)):
            if not lot.left or not self._has_lapsed(lot, now):
                continue
            backing = sum(h.amount for h in self.holds if h.state == "open" and h.placed_at < (lot.expires_at or 0))
            kept = max(0, min(lot.left, backing - kept_for_earlier))
            kept_for_earlier += kept
            lost = lot.left - kept
            if lost:
                line = self._line("expiry", -lost, lot.payment)
                line.slots = [lot] * lost
                lot.left = kept

    def lapsed_and_not_kept(self, now: int) -> int:
        """What `expire` would take now."""
        lots, lost, kept_for_earlier = sorted(self.lots, key=lambda lot: lot.expires_at or 0), 0, 0
        for lot in lots:
            if lot.left and self._has_lapsed(lot, now):
                backing = sum(h.amount for h in self.holds if h.state == "open" and h.placed_at < (lot.expires_at or 0))
                kept = max(0, min(lot.left, backing - kept_for_earlier))
                kept_for_earlier += kept
                lost += lot.left - kept
        return lost

    @staticmethod
    def _has_lapsed(lot: Lot, now: int) -> bool:
        return lot.expires_at is not None and lot.expires_at <= now

    def _line(self, kind: str, amount: int, payment: int | None) -> Line:
        self.posted += amount
        self.lines.append(Line(kind, amount, self.posted, payment))
        return self.lines[-1]

    def _take(
        self,
        now: int,
        kind: str,
        size: int,
        *,
        usable: Callable[[Lot], bool],
        own: int | None = None,
        payment: int | None = None,
    ) -> None:
        line = self._line(kind, -size, payment)

        def place(lot: Lot) -> tuple[int, int, bool, int, int]:
            rank = 0 if own is not None and lot.payment == own else 1 if usable(lot) else 2
            return (rank, lot.priority, lot.expires_at is None, lot.expires_at or 0, lot.number)

        for lot in sorted(self.lots, key=place):
            while lot.left and len(line.slots) < size:
                lot.left -= 1
                line.slots.append(lot)
        line.slots += [None] * (size - len(line.slots))

    def _cover(self) -> None:
        for line, _ in self.debt_slots:
            lots = [lot for lot in self.lots if lot.left]
            if not lots:
                return
            lot = min(lots, key=lambda lot: (lot.priority, lot.expires_at is None, lot.expires_at or 0, lot.number))
            line.slots.remove(None)
            line.slots.insert(len(line.slots) - line.slots.count(None), lot)
            lot.left -= 1

    def _move_one(self) -> bool:
        """Move one credit of a claw-back from a lot of another payment to its own lot."""
        for line in self.lines:
            if line.kind not in ("refund", "dispute"):
                continue
            for own in (lot for lot in self.lots if lot.payment == line.payment and lot.left):
                for index in range(len(line.slots) - 1, -1, -1):
                    lot = line.slots[index]
                    if lot is not None and lot.payment != line.payment:
                        del line.slots[index]
                        lot.left += 1
                        own.left -= 1
                        line.slots.insert(len(line.slots) - line.slots.count(None), own)
                        return True
        return False
