"""Random histories of one customer, on PostgreSQL and on a toy model at once, checked after every step."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.db.models import F
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from billing.errors import BatchRefused, BillingError, HoldEnded, IdempotencyConflict
from billing.kinds import UNDONE_BY_MONEY, EntryKind
from billing.ledger.posting import BatchMode
from billing.ledger.shapes import Posting
from billing.ledger.verification import verify_ledger
from billing.models import CreditBalance, CreditGrant, CreditHold, LedgerEntry, Payment, UncoveredPart
from billing.selectors.balances import read_balance
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.services.expiry import expire_lapsed_credits
from billing.services.holds import expire_stale_holds, place_hold, release_hold, settle_hold
from billing.services.posting import post, post_many
from billing.tests.ledger.factories import follow_with_money, make_customer, make_payment
from billing.tests.ledger.model import BOUGHT, FREE, PLAN, HeldCredits, ModelLedger, Refused

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LATE_WINDOW = 24  # hours, as the setting's default
HOLD_LIFETIME = 5

SIZES = st.integers(1, 12)
LIFETIMES = st.one_of(st.none(), st.integers(1, 30))


def at(hour: int) -> datetime:
    return EPOCH + timedelta(hours=hour)


class LedgerMachine(RuleBasedStateMachine):
    """Hours are the clock; amounts are whole credits, which the ledger stores at six places."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.hour = 1
        self.clock = time_machine.travel(at(self.hour), tick=False)
        self.traveller = self.clock.start()
        self.customer = make_customer()
        self.model = ModelLedger()
        self.payments: list[Payment] = []
        self.taken_back: dict[int, int] = {}
        self.real_holds: list[CreditHold] = []
        self.made: list[Posting] = []
        self.key_number = 0

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    # Steps

    @rule(size=SIZES, lifetime=LIFETIMES, is_plan=st.booleans())
    def receive_free_credits(self, size: int, lifetime: int | None, is_plan: bool) -> None:
        kind = EntryKind.PROMOTION  # a plan's allowance has the same life, in another place of burn-down
        expires = None if lifetime is None else self.hour + lifetime
        self._post(kind, size, expires_at=None if expires is None else at(expires), priority=PLAN if is_plan else FREE)
        self.model.grant(
            now=self.hour, kind=kind, size=size, priority=PLAN if is_plan else FREE, expires_at=expires, payment=None
        )

    @rule(size=SIZES, lifetime=LIFETIMES)
    def buy(self, size: int, lifetime: int | None) -> None:
        payment = make_payment(customer=self.customer, credits=size)
        self.payments.append(payment)
        self.taken_back[payment.pk] = 0
        expires = None if lifetime is None else self.hour + lifetime
        self._post(EntryKind.PURCHASE, size, payment=payment, expires_at=None if expires is None else at(expires))
        self.model.grant(
            now=self.hour, kind="purchase", size=size, priority=BOUGHT, expires_at=expires, payment=payment.pk
        )

    @rule(size=SIZES)
    def use(self, size: int) -> None:
        self._agree(
            lambda: self._post(EntryKind.USAGE, -size), lambda: self.model.spend(now=self.hour, kind="usage", size=size)
        )

    @rule(size=SIZES)
    def staff_debit(self, size: int) -> None:
        self._agree(
            lambda: self._post(EntryKind.ADJUSTMENT, -size),
            lambda: self.model.spend(now=self.hour, kind="adjustment", size=size),
        )

    @rule(sizes=st.lists(st.integers(-12, 12).filter(bool), min_size=1, max_size=4), is_each=st.booleans())
    def batch(self, sizes: list[int], is_each: bool) -> None:
        postings = [self._posting(EntryKind.PROMOTION if n > 0 else EntryKind.USAGE, n) for n in sizes]
        verdicts = [self._would_fit(sizes[:index], is_each, size) for index, size in enumerate(sizes)]
        if not is_each and not all(verdicts):
            with pytest.raises(BillingError) as refusal:
                post_many(postings=postings, mode=BatchMode.ALL)
            assert isinstance(refusal.value, BatchRefused) == (len(sizes) > 1)
            return
        outcomes = post_many(postings=postings, mode=BatchMode.EACH if is_each else BatchMode.ALL)
        assert [outcome.refusal is None for outcome in outcomes] == verdicts
        self.model.expire(self.hour)
        for size, fits in zip(sizes, verdicts, strict=True):
            if size > 0:
                self.model.grant(
                    now=self.hour, kind="promotion", size=size, priority=FREE, expires_at=None, payment=None
                )
            elif fits:
                self.model.spend(now=self.hour, kind="usage", size=-size)
        self.made += [posting for posting, fits in zip(postings, verdicts, strict=True) if fits]

    @precondition(lambda self: self.made)
    @rule(pick=st.integers(0, 10_000))
    def repeat(self, pick: int) -> None:
        posting = self.made[pick % len(self.made)]
        count = LedgerEntry.objects.filter(customer=self.customer).exclude(kind="expiry").count()

        again = post(posting=posting)

        assert (again.idempotency_key, again.amount) == (posting.key, posting.amount)
        assert LedgerEntry.objects.filter(customer=self.customer).exclude(kind="expiry").count() == count
        self.model.expire(self.hour)

    @precondition(lambda self: self.made)
    @rule(pick=st.integers(0, 10_000))
    def reuse_a_key_for_another_request(self, pick: int) -> None:
        first = self.made[pick % len(self.made)]
        other = Posting(customer_id=self.customer.pk, kind=EntryKind.PROMOTION, amount=Decimal("99.5"), key=first.key)
        with pytest.raises(IdempotencyConflict):
            post(posting=other)

    @precondition(lambda self: self.payments)
    @rule(pick=st.integers(0, 100), size=SIZES, kind=st.sampled_from([EntryKind.REFUND, EntryKind.DISPUTE]))
    def claw_back(self, pick: int, size: int, kind: EntryKind) -> None:
        payment = self.payments[pick % len(self.payments)]
        size = min(size, int(payment.credits) - self.taken_back[payment.pk])
        if size:
            self.taken_back[payment.pk] += size
            self._post(kind, -size, payment=payment)
            self.model.claw_back(now=self.hour, kind=kind, size=size, payment=payment.pk)

    @precondition(lambda self: any(self.taken_back.values()))
    @rule(pick=st.integers(0, 100), size=SIZES, away=st.one_of(st.none(), st.integers(0, 40)))
    def money_comes_back(self, pick: int, size: int, away: int | None) -> None:
        candidates = [payment for payment in self.payments if self._returnable(payment.pk)]
        if not candidates:
            return
        payment = candidates[pick % len(candidates)]
        size = min(size, self._returnable(payment.pk))
        self.taken_back[payment.pk] -= size
        until = None if away is None else self.hour + away
        self._post(EntryKind.REFUND_REVERSAL, size, payment=payment, return_until=None if until is None else at(until))
        lines = [
            line
            for line in reversed(self.model.lines)
            if line.kind in UNDONE_BY_MONEY and line.payment == payment.pk and line.amount < 0
        ]
        self.model.give_back(
            now=self.hour, kind="refund_reversal", size=size, lines=lines, payment=payment.pk, until=until
        )

    @rule(pick=st.integers(0, 100), size=SIZES)
    def correct_usage(self, pick: int, size: int) -> None:
        used = [(number, line) for number, line in enumerate(self.model.lines) if line.kind == "usage" and line.slots]
        if not used:
            return
        number, line = used[pick % len(used)]
        size = min(size, len(line.slots))
        entry = LedgerEntry.objects.get(customer=self.customer, sequence=number + 1)
        until = self.hour + 30 * 24
        self._post(EntryKind.USAGE_CORRECTION, size, corrects_id=entry.pk, return_until=at(until))
        self.model.give_back(now=self.hour, kind="usage_correction", size=size, lines=[line], payment=None, until=until)

    @precondition(lambda self: self.model.posted < 0)
    @rule(size=SIZES)
    def write_off(self, size: int) -> None:
        size = min(size, -self.model.posted)
        self._post(EntryKind.WRITE_OFF, size)
        self.model.write_off(now=self.hour, size=size)

    @precondition(lambda self: any(self.model.forgiven(payment.pk) for payment in self.payments))
    @rule(pick=st.integers(0, 100), size=SIZES)
    def take_back_a_write_off(self, pick: int, size: int) -> None:
        candidates = [payment for payment in self.payments if self.model.forgiven(payment.pk)]
        payment = candidates[pick % len(candidates)]
        size = min(size, self.model.forgiven(payment.pk))
        self._post(EntryKind.WRITE_OFF, -size, payment_id=payment.pk)
        self.model.take_back_write_off(now=self.hour, size=size, payment=payment.pk)

    @rule(size=SIZES)
    def place(self, size: int) -> None:
        self.key_number += 1

        def place_real() -> None:
            hold = place_hold(
                customer_id=self.customer.pk,
                amount=Decimal(size),
                key=f"api:{self.key_number}",
                lifetime=timedelta(hours=HOLD_LIFETIME),
            )
            self.real_holds.append(hold)

        self._agree(place_real, lambda: self.model.hold(now=self.hour, size=size, lifetime=HOLD_LIFETIME))

    @precondition(lambda self: self.real_holds)
    @rule(pick=st.integers(0, 100), cost=st.integers(0, 20))
    def settle(self, pick: int, cost: int) -> None:
        real, held = self._pick_hold(pick)
        self._agree(
            lambda: settle_hold(hold=real.public_id, amount=Decimal(cost)),
            lambda: self.model.settle(now=self.hour, hold=held, cost=cost, late_window=LATE_WINDOW),
        )

    @precondition(lambda self: self.real_holds)
    @rule(pick=st.integers(0, 100))
    def release(self, pick: int) -> None:
        real, held = self._pick_hold(pick)
        if held.state == "settled":
            with pytest.raises(HoldEnded):
                release_hold(hold=real.public_id)
            return
        release_hold(hold=real.public_id)
        if held.state == "open":
            self.model.end(now=self.hour, hold=held, state="released")
        else:
            self.model.expire(self.hour)

    @rule()
    def sweep(self) -> None:
        expire_stale_holds(now=at(self.hour))
        expire_lapsed_credits(now=at(self.hour))
        for held in self.model.holds:
            if held.state == "open" and held.expires_at <= self.hour:
                self.model.end(now=self.hour, hold=held, state="expired")
        self.model.expire(self.hour)

    @rule(hours=st.integers(1, 12))
    def time_passes(self, hours: int) -> None:
        self.hour += hours
        self.traveller.move_to(at(self.hour))

    @rule()
    def freeze_or_lift(self) -> None:
        change = unfreeze_customer if self.model.is_frozen else freeze_customer
        change(customer_id=self.customer.pk, reason="test")
        self.model.is_frozen = not self.model.is_frozen

    # What holds after every step

    @invariant()
    def the_ledger_verifies(self) -> None:
        assert list(verify_ledger(customer_ids=[self.customer.pk])) == []

    @invariant()
    def ledger_and_model_agree(self) -> None:
        balance = CreditBalance.objects.get(pk=self.customer.pk)
        assert (balance.posted, balance.held) == (self.model.posted, self.model.held)
        entries = LedgerEntry.objects.filter(customer=self.customer).order_by("sequence")
        assert list(entries.values_list("kind", "amount", "balance_after")) == [
            (line.kind, line.amount, line.balance_after) for line in self.model.lines
        ]
        grants = CreditGrant.objects.filter(customer=self.customer).order_by("pk")
        assert list(grants.values_list("remaining", flat=True)) == [lot.left for lot in self.model.lots]
        uncovered = UncoveredPart.objects.filter(customer=self.customer, is_open=True).order_by("entry__sequence")
        assert list(uncovered.values_list(F("entry__sequence"), "amount")) == [
            (number, line.slots.count(None)) for number, line in enumerate(self.model.lines, 1) if None in line.slots
        ]

    @invariant()
    def a_plain_read_agrees(self) -> None:
        balance = read_balance(customer_id=self.customer.pk, now=at(self.hour))
        assert balance is not None
        assert balance.posted == self.model.posted - self.model.lapsed_and_not_kept(self.hour)

    # How

    def _agree(self, real: Callable[[], object], model: Callable[[], object]) -> None:
        """Both do it or both refuse; a refusal leaves everything as it was."""
        before = deepcopy(self.model)
        try:
            model()
        except Refused:
            self.model = before
            with pytest.raises(BillingError):
                real()
            return
        real()

    def _posting(self, kind: EntryKind, amount: int, payment: Payment | None = None, **fields: Any) -> Posting:
        self.key_number += 1
        key = f"api:{self.key_number}"
        if payment is not None:
            payment.posting_count += 1
            payment.save(update_fields=["posting_count"])
            key = f"payment:{payment.pk}:{payment.posting_count}"
            fields["payment_id"] = payment.pk
        return Posting(
            customer_id=self.customer.pk,
            kind=kind,
            amount=Decimal(amount),
            key=key,
            description="test",
            **fields,
        )

    def _post(self, kind: EntryKind, amount: int, *, payment: Payment | None = None, **fields: Any) -> None:
        posting = self._posting(kind, amount, payment=payment, **fields)
        post(posting=posting)
        self.made.append(posting)
        if payment is not None:
            follow_with_money(payment)

    def _pick_hold(self, pick: int) -> tuple[CreditHold, HeldCredits]:
        index = pick % len(self.real_holds)
        return self.real_holds[index], self.model.holds[index]

    def _returnable(self, payment: int) -> int:
        """Slots that claw-backs of a payment still have: what was written off is gone until that is taken back."""
        slots = sum(
            len(line.slots)
            for line in self.model.lines
            if line.kind in UNDONE_BY_MONEY and line.payment == payment and line.amount < 0
        )
        return min(slots, self.taken_back[payment])

    def _would_fit(self, before: list[int], is_each: bool, size: int) -> bool:
        if size > 0:
            return True
        available = self.model.posted - self.model.lapsed_and_not_kept(self.hour) - self.model.held
        for earlier in before:
            if earlier > 0 or (not self.model.is_frozen and available >= -earlier):
                available += earlier
        return not self.model.is_frozen and available >= -size


PARTS = 4  # so that the workers of a run share them


@pytest.mark.django_db
@pytest.mark.parametrize("part", range(1, PARTS + 1))
def test_random_histories_agree_with_the_model(part: int) -> None:
    examples = 5 * settings().max_examples // PARTS  # 500 in all, in the nightly profile 10,000
    run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=examples, stateful_step_count=50))
