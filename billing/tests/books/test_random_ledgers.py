"""Random histories on the real database: facts converge, services post, and after every step the books close."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest
import time_machine
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from billing.kinds import AllocationKind, EntryKind
from billing.ledger.books_shapes import Booking
from billing.ledger.verification import verify_ledger
from billing.models import GrantAllocation, LedgerEntry, Payment
from billing.services.expiry import expire_lapsed_credits
from billing.services.flags import end_flag, standing_flags
from billing.services.journal import BooksTotals, stream_bookings
from billing.tests.books.coverage import MUST_OCCUR, what_occurred
from billing.tests.books.shop import Shop, balances_of

CREDITS = st.one_of(st.integers(1, 30), st.decimals("0.000001", 30, places=6))
CENTS = st.integers(1, 400)
CURRENCIES = st.sampled_from(["usd", "eur"])
LIFETIMES = st.sampled_from([None, 2, 5, 20])
EARNED = ("revenue", "refunds_of_consumed_credits", "bad_debt", "breakage")


def third_of(credits: Decimal | int) -> Decimal:
    return (Decimal(credits) / 3).quantize(Decimal("0.000001"))


class LedgerBooksMachine(RuleBasedStateMachine):
    met: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.clock = time_machine.travel(self.now, tick=False)
        self.traveller = self.clock.start()
        self.shop = Shop()
        self.refunds: list[tuple[int, str, int]] = []
        self.disputes: dict[int, tuple[int, int]] = {}
        self.before: list[Booking] = []

    def teardown(self) -> None:
        LedgerBooksMachine.met += what_occurred(self.shop.bookings(), self.shop.prices())
        self.clock.stop()
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @rule(credits=CREDITS, cents=CENTS, currency=CURRENCIES, days=LIFETIMES, rate=st.sampled_from([0, 7, 19]))
    def buy(self, credits: Decimal, cents: int, currency: str, days: int | None, rate: int) -> None:
        self.shop.buy(credits, cents, currency=currency, days=days, tax=cents * rate // (100 + rate))

    @rule(credits=CREDITS, cents=st.one_of(st.just(0), CENTS), discount=CENTS)
    def buy_with_a_code(self, credits: Decimal, cents: int, discount: int) -> None:
        self.shop.buy(credits, cents, discount=discount)

    @rule(credits=CREDITS, cents=CENTS)
    def pay_what_we_did_not_offer(self, credits: Decimal, cents: int) -> None:
        self.shop.buy(credits, cents, is_understood=False)

    @rule()
    def learn_what_it_was_for(self) -> None:
        payment = Payment.objects.filter(customer=self.shop.customer).exclude(mismatch="").first()
        if payment:
            self.shop.understand(payment)

    @rule(credits=CREDITS, days=LIFETIMES)
    def give(self, credits: Decimal, days: int | None) -> None:
        self.shop.give(credits, days=days)

    @rule(credits=CREDITS, is_beyond=st.sampled_from([False, False, True]))
    def use(self, credits: Decimal, is_beyond: bool) -> None:
        credits = Decimal(credits) if is_beyond else min(Decimal(credits), self.shop.posted())
        if credits > 0:
            with transaction.atomic():
                self.shop.use(credits)

    @rule(pick=st.integers(0, 100))
    def correct(self, pick: int) -> None:
        used = list(LedgerEntry.objects.filter(customer=self.shop.customer, kind=EntryKind.USAGE))
        if used:
            entry = used[pick % len(used)]
            rows = GrantAllocation.objects.filter(
                entry=entry, kind__in=[AllocationKind.RETURN, AllocationKind.WRITE_OFF]
            )
            rest = -entry.amount + sum(row.amount for row in rows)
            if rest:
                self.shop.post(EntryKind.USAGE_CORRECTION, rest, corrects_id=entry.pk, description="Was wrong")

    @rule(pick=st.integers(0, 100), cents=CENTS, is_all=st.booleans())
    def refund(self, pick: int, cents: int, is_all: bool) -> None:
        payment = self._pick(pick)
        if payment:
            rest = (payment.paid_amount_minor or 0) - payment.given_back_minor
            self._refund(payment, rest if is_all else min(cents, rest))

    @precondition(lambda self: self.refunds)
    @rule(pick=st.integers(0, 100))
    def refund_fails(self, pick: int) -> None:
        payment_id, refund_id, cents = self.refunds.pop(pick % len(self.refunds))
        self.shop.refund(Payment.objects.get(pk=payment_id), cents, refund_id=refund_id, is_dead=True)

    @rule(pick=st.integers(0, 100))
    def disputed_money_moves(self, pick: int) -> None:
        payment = self._pick(pick)
        if payment and payment.paid_amount_minor:
            cents, times = self.disputes.get(payment.pk, (payment.paid_amount_minor, 0))
            self.disputes[payment.pk] = (cents, times + 1)
            self.shop.dispute(payment, cents, times=times + 1)
            self._lift_freezes()

    @rule(
        credits=CREDITS,
        cents=CENTS,
        currency=CURRENCIES,
        end=st.sampled_from(["other price", "write off", "cover", "fails"]),
    )
    def refund_what_was_used(self, credits: Decimal, cents: int, currency: str, end: str) -> None:
        """Chance alone seldom spends a payment before its money goes back."""
        payment = self.shop.buy(credits, cents, tax=cents // 10)
        left = third_of(credits) if end == "other price" else Decimal(0)
        if self.shop.posted() > left:
            self.shop.use(self.shop.posted() - left)
        if end == "other price":
            self.shop.buy(2 * Decimal(credits), cents, currency=currency)
        self._refund(payment, cents)
        if end in ("write off", "fails") and self.shop.posted() < 0:
            self.shop.write_off(-self.shop.posted())
        if end == "cover":
            self.shop.buy(credits, 2 * cents, currency="eur")
        elif end == "fails":
            self.refund_fails(len(self.refunds) - 1)

    @rule(credits=CREDITS, cents=CENTS)
    def let_it_expire(self, credits: Decimal, cents: int) -> None:
        self.shop.buy(credits, cents, days=1)
        self.pass_days(2)

    @rule(part=st.sampled_from([1, 2, 3]))
    def write_off(self, part: int) -> None:
        debt = -self.shop.posted()
        if debt > 0 and (credits := (debt / part).quantize(debt)):
            self.shop.write_off(credits)

    @rule(days=st.integers(1, 8))
    def pass_days(self, days: int) -> None:
        self._move_clock(timedelta(days=days))
        expire_lapsed_credits(now=self.now)

    @invariant()
    def the_ledger_verifies(self) -> None:
        assert list(verify_ledger(customer_ids=[self.shop.customer.pk])) == []

    @invariant()
    def the_books_close(self) -> None:
        bookings = self.shop.bookings()
        payments = Payment.objects.filter(customer=self.shop.customer, paid_at__isnull=False)
        for currency in ("usd", "eur"):
            balances = balances_of(bookings, currency)
            of_currency = [payment for payment in payments if payment.paid_currency == currency]
            left = sum((payment.paid_amount_minor or 0) - payment.given_back_minor for payment in of_currency)
            assert balances.get("cash_at_stripe", 0) == left
            assert sum(balances.values()) == 0
            booked = [balances.get(account, 0) for account in (*EARNED, "deferred_revenue", "tax_payable")]
            assert left == -sum(booked)

    @invariant()
    def what_was_booked_stays_booked(self) -> None:
        now = self.shop.bookings()
        assert now[: len(self.before)] == self.before
        self.before = now
        self._move_clock(timedelta(seconds=1))

    @invariant()
    def a_period_is_a_part_of_the_whole(self) -> None:
        since, until = self.now - timedelta(days=9), self.now - timedelta(days=2)
        part = stream_bookings(since=since, until=until, customer_id=self.shop.customer.pk)
        assert [booked.booking for booked in part] == [
            booking for booking in self.before if since <= booking.step.booked_at < until
        ]

    def _pick(self, pick: int) -> Payment | None:
        payments = list(Payment.objects.filter(customer=self.shop.customer).order_by("pk"))
        return payments[pick % len(payments)] if payments else None

    def _refund(self, payment: Payment, cents: int) -> None:
        if cents:
            self.refunds.append((payment.pk, self.shop.refund(payment, cents), cents))

    def _lift_freezes(self) -> None:
        """Disputes freeze; spending goes on here, so that more can go wrong."""
        for flag in standing_flags(customer_id=self.shop.customer.pk):
            end_flag(customer_id=self.shop.customer.pk, cause=flag.cause, reason="Goes on")

    def _move_clock(self, duration: timedelta) -> None:
        self.now += duration
        self.traveller.move_to(self.now)


@pytest.mark.django_db
def test_the_books_close_after_every_step_on_the_real_ledger() -> None:
    LedgerBooksMachine.met.clear()

    run_state_machine_as_test(
        LedgerBooksMachine, settings=settings(max_examples=max(1, settings().max_examples // 8), stateful_step_count=30)
    )

    missing = {name for name in MUST_OCCUR if not LedgerBooksMachine.met[name]}
    assert not missing, f"No history had: {sorted(missing)}. Met: {dict(LedgerBooksMachine.met)}"


def test_totals_of_no_bookings_are_empty() -> None:
    assert BooksTotals().currencies() == []
