"""Random histories of one customer in memory: after every step the books close, per payment and per currency."""

from collections import Counter
from decimal import Decimal
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from billing.kinds import EntryKind
from billing.tests.books.coverage import MUST_OCCUR, what_occurred
from billing.tests.books.world import MILLIONTH, Paid, World

CREDITS = st.one_of(st.integers(1, 30), st.decimals("0.000001", 30, places=6))
CENTS = st.integers(1, 400)
CURRENCIES = st.sampled_from(["usd", "eur"])
LIFETIMES = st.one_of(st.none(), st.integers(1, 20))
TAX_RATES = st.sampled_from([0, 0, 7, 19])


class BooksMachine(RuleBasedStateMachine):
    met: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.ungranted: list[Paid] = []
        self.used: list[int] = []

    def teardown(self) -> None:
        world = self.world
        prices = {
            new.grant.ref: (paid.id, (paid.currency, paid.collected / float(paid.credits)))
            for new in world.account.new_grants
            if (paid := world.payments.get(new.grant.payment_id or 0)) and paid.collected
        }
        BooksMachine.met += what_occurred(world.bookings, prices)

    @rule(credits=CREDITS, cents=st.one_of(st.just(0), CENTS), currency=CURRENCIES, days=LIFETIMES, rate=TAX_RATES)
    def buy(self, credits: Decimal, cents: int, currency: str, days: int | None, rate: int) -> None:
        self.world.buy(credits, cents, currency=currency, days=days, tax=cents * rate // (100 + rate))

    @rule(credits=CREDITS, cents=CENTS, currency=CURRENCIES)
    def pay_without_credits(self, credits: Decimal, cents: int, currency: str) -> None:
        self.ungranted.append(self.world.pay(credits, cents, currency=currency))

    @precondition(lambda self: self.ungranted)
    @rule(days=LIFETIMES)
    def grant_it_after_all(self, days: int | None) -> None:
        self.world.grant(self.ungranted.pop(), days=days)

    @rule(credits=CREDITS, days=LIFETIMES)
    def give(self, credits: Decimal, days: int | None) -> None:
        self.world.give(credits, days=days)

    @rule(credits=CREDITS, is_beyond=st.sampled_from([False, False, False, True]))
    def use(self, credits: Decimal, is_beyond: bool) -> None:
        """Mostly within what is there; work that cost more than was held goes beyond it."""
        credits = Decimal(credits) if is_beyond else min(Decimal(credits), self.world.account.posted)
        if credits > 0:
            self.used.append(self.world.use(credits))

    @precondition(lambda self: self.used)
    @rule(pick=st.integers(0, 100), part=st.sampled_from([1, 2, 3]))
    def correct(self, pick: int, part: int) -> None:
        entry = self.used[pick % len(self.used)]
        returnable = self.world.account.past_entries[-entry].returnable()
        credits = (returnable / part).quantize(returnable)
        if credits:
            self.world.correct(entry, credits)

    @rule(credits=CREDITS)
    def staff_debit(self, credits: Decimal) -> None:
        self.world.staff_debit(credits)

    @precondition(lambda self: self.world.payments)
    @rule(
        pick=st.integers(0, 100),
        cents=CENTS,
        is_all=st.booleans(),
        kind=st.sampled_from([EntryKind.REFUND, EntryKind.DISPUTE]),
    )
    def give_back(self, pick: int, cents: int, is_all: bool, kind: EntryKind) -> None:
        granted = [paid for paid in self.world.payments.values() if paid not in self.ungranted and paid.collected]
        if granted:
            paid = granted[pick % len(granted)]
            rest = paid.collected - paid.back
            cents = rest if is_all else min(cents, rest)
            if cents:
                self.world.pay_back(paid, cents, kind=kind)

    @rule(pick=st.integers(0, 100), cents=CENTS, is_all=st.booleans())
    def money_comes_back(self, pick: int, cents: int, is_all: bool) -> None:
        given_back = [paid for paid in self.world.payments.values() if paid.back and paid not in self.ungranted]
        if given_back:
            paid = given_back[pick % len(given_back)]
            self.world.pay_back(paid, -paid.back if is_all else -min(cents, paid.back))

    @rule(credits=CREDITS, cents=CENTS, currency=CURRENCIES, end=st.sampled_from(["other price", "write off", "cover"]))
    def refund_what_was_used(self, credits: Decimal, cents: int, currency: str, end: str) -> None:
        """Chance alone seldom spends a payment before its money goes back."""
        paid = self.world.buy(credits, cents)
        left = (Decimal(credits) / 3).quantize(MILLIONTH) if end == "other price" else Decimal(0)
        if self.world.account.posted > left:
            self.used.append(self.world.use(self.world.account.posted - left))
        if end == "other price":
            self.world.buy(2 * Decimal(credits), cents, currency=currency)
        self.world.pay_back(paid, cents)
        if end == "write off" and self.world.account.posted < 0:
            self.world.write_off(-self.world.account.posted)
        elif end == "cover":
            self.world.buy(credits, 2 * cents, currency="eur")

    @precondition(lambda self: self.world.account.posted < 0)
    @rule(part=st.sampled_from([1, 1, 2, 3]))
    def write_off(self, part: int) -> None:
        debt = -self.world.account.posted
        credits = (debt / part).quantize(debt)
        if credits:
            self.world.write_off(credits)

    @rule(days=st.integers(1, 8))
    def pass_days(self, days: int) -> None:
        self.world.pass_days(days)

    @invariant()
    def the_books_close(self) -> None:
        self.world.check()


def test_the_books_close_after_every_step_of_random_histories() -> None:
    BooksMachine.met.clear()

    run_state_machine_as_test(
        BooksMachine, settings=settings(max_examples=4 * settings().max_examples, stateful_step_count=40)
    )

    missing = {name for name in MUST_OCCUR if not BooksMachine.met[name]}
    assert not missing, f"No history had: {sorted(missing)}. Met: {dict(BooksMachine.met)}"
