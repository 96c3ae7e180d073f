"""Whatever order the events of refunds and disputes come in, the credits end where the money is.

Each history is told in many orders, every event twice: once with Stripe's objects final from the start, and once with
the objects as old as the deliveries allow, every event read anew, and three reads in ten failing. The normal run takes
a sample; `-m nightly` takes all orders of up to seven events and three hundred random ones beyond.
"""

import itertools
import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.gateway.parsing import parse_event
from billing.models import BillingCustomer, CreditBalance, DisputeMovement, LedgerEntry, Payment, StripeEvent
from billing.tests.ledger.steps import assert_books_are_right
from billing.tests.shop import make_pack, open_checkout
from billing.webhooks.dispatch import HANDLERS
from billing.webhooks.inbox import store_event, work_off_due_events
from sandbox.stripe.control import Control
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db

SAMPLE_SIZE = 6
RANDOM_ORDERS = 300
MOST_PERMUTED = 7


@dataclass
class World:
    """The levers, and the ids that steps leave for later ones."""

    control: Control
    session: str
    refunds: list[str] = field(default_factory=list)
    dispute: str = ""


Step = Callable[[World], object]


def pay(world: World) -> None:
    world.control.pay_session(world.session)


def refund(amount: int | None = None, *, status: str | None = None) -> Step:
    def step(world: World) -> None:
        made = world.control.refund_payment(world.session, amount=amount, status=status)  # type: ignore[arg-type]
        world.refunds.append(made["id"])

    return step


def end_refund(status: str) -> Step:
    return lambda world: world.control.end_refund(world.refunds[0], status)  # type: ignore[arg-type]


def dispute(*, inquiry: bool = False) -> Step:
    def step(world: World) -> None:
        world.dispute = world.control.open_dispute(world.session, inquiry=inquiry)["id"]

    return step


def close(outcome: str, *, reinstates: bool = True) -> Step:
    return lambda world: world.control.close_dispute(world.dispute, outcome, reinstates=reinstates)  # type: ignore[arg-type]


def withdraw(world: World) -> None:
    world.control.withdraw_funds(world.dispute)


def reinstate(world: World) -> None:
    world.control.reinstate_funds(world.dispute)


# $10.00 for 1,000 credits: what happened at Stripe, and what the customer has in the end.
HISTORIES: dict[str, tuple[list[Step], int]] = {
    "paid": ([pay], 1000),
    "refunded in three parts": ([pay, refund(300), refund(300), refund()], 0),
    "refund pending then failed": ([pay, refund(status="pending"), end_refund("failed")], 1000),
    "refunded at once": ([pay, refund()], 0),
    "dispute withdrawn and lost": ([pay, dispute(), close("lost")], 0),
    "dispute withdrawn and won": ([pay, dispute(), close("won")], 1000),
    "dispute won, then refunded": ([pay, dispute(), close("won"), refund()], 0),
    "refund of four and dispute of ten": ([pay, refund(400), dispute()], 0),
    "that refund fails": ([pay, refund(400), dispute(), end_refund("failed")], 0),
    "that dispute is reinstated": ([pay, refund(400), dispute(), end_refund("failed"), reinstate], 1000),
    "withdrawn, reinstated, withdrawn": ([pay, dispute(), reinstate, withdraw], 0),
    "inquiry closed": ([pay, dispute(inquiry=True), close("warning_closed")], 1000),
}


@dataclass
class History:
    """One history at Stripe: its events, the stage that each was sent at, and Stripe as it was at each stage."""

    sandbox: SandboxServer
    gateway: StripeGateway
    payment: Payment
    expected: int
    events: list[dict[str, Any]]
    sent_at: list[int]
    stages: list[sqlite3.Connection]

    def move_stripe_to(self, stage: int) -> None:
        self.sandbox.sandbox.store.copy_in(self.stages[stage])


MakeHistory = Callable[[str], History]


@pytest.fixture
def make_history(
    stripe_sandbox: SandboxServer, gateway: StripeGateway, customer: BillingCustomer, settings: Settings
) -> Iterator[MakeHistory]:
    settings.WEBHOOK_MAX_TRIES = 100  # three reads in ten fail: no order shall end by bad luck
    control, store = stripe_sandbox.control, stripe_sandbox.sandbox.store

    def make(name: str) -> History:
        pack = make_pack(credits=Decimal(1000), bonus_credits=Decimal(0))
        started = open_checkout(customer=customer, pack=pack, gateway=gateway)
        world, known = World(control, started.session_id), len(control.list_events())
        steps, expected = HISTORIES[name]
        events: list[dict[str, Any]] = []
        sent_at: list[int] = []
        stages: list[sqlite3.Connection] = []
        for stage, step in enumerate(steps):
            step(world)
            new = [event for event in control.list_events()[known:] if event["type"] in HANDLERS]
            known = len(control.list_events())
            events += new
            sent_at += [stage] * len(new)
            stages.append(store.copy_out())
        plain = StripeGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)
        return History(stripe_sandbox, plain, started.payment, expected, events, sent_at, stages)

    yield make
    control.clear_faults()


def deliver(history: History, position: int, *, again: bool, api_version: str | None) -> None:
    """Store one delivery; a second event about the same has an id of its own."""
    event = {**history.events[position]}
    event["id"] = f"evt_{position}{'again' if again else ''}"
    event["api_version"] = api_version or event["api_version"]
    store_event(event=parse_event(event), body=json.dumps(event).encode())


def try_everything(history: History) -> int:
    """Try every pending event once, whenever it is due; gives how many there were."""
    pending = StripeEvent.objects.filter(state="pending")
    count = pending.update(next_try_at=timezone.now())
    work_off_due_events(gateway=history.gateway, limit=count)
    return count


def posted_for(payment: Payment) -> Decimal:
    return LedgerEntry.objects.filter(payment=payment).aggregate(total=Sum("amount"))["total"] or Decimal(0)


def assert_facts_allow_what_is_posted(history: History, order: Sequence[int]) -> None:
    """Worked out anew from the rows of facts: no more and no less than they say."""
    payment = Payment.objects.get(pk=history.payment.pk)
    if payment.paid_at is None:
        assert posted_for(payment) == 0, order
        return
    refunded = payment.refunds.filter(is_dead=False).aggregate(total=Sum("amount_minor"))["total"] or 0
    moved = DisputeMovement.objects.filter(dispute__payment=payment).aggregate(total=Sum("amount_minor"))["total"] or 0
    assert posted_for(payment) == 1000 - min(1000, refunded + max(0, -moved)), order


def run(history: History, order: Sequence[int], *, advancing: bool) -> None:
    last = len(history.stages) - 1
    stage = 0 if advancing else last
    history.move_stripe_to(stage)
    api_version = "2020-08-27" if advancing else None
    for position in order:
        if advancing and history.sent_at[position] > stage:
            stage = history.sent_at[position]
            history.move_stripe_to(stage)
        deliver(history, position, again=False, api_version=api_version)
        try_everything(history)
        assert_facts_allow_what_is_posted(history, order)
    for position in reversed(order):
        deliver(history, position, again=True, api_version=api_version)
    for _ in range(100):
        if not try_everything(history):
            break
    assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done"}, order
    assert posted_for(history.payment) == history.expected, order
    assert CreditBalance.objects.get(pk=history.payment.customer_id).posted == history.expected, order
    assert_books_are_right(history.payment.customer)


def run_each(history: History, orders: Sequence[Sequence[int]]) -> None:
    for order in orders:
        for advancing in (False, True):
            if advancing:
                history.sandbox.control.fail_reads(percent=30)
            beginning = transaction.savepoint()
            run(history, order, advancing=advancing)
            transaction.savepoint_rollback(beginning)
            history.sandbox.control.clear_faults()


def random_orders(count: int, size: int) -> list[Sequence[int]]:
    chance = random.Random(20_261_120)
    return [chance.sample(range(size), size) for _ in range(count)]


@pytest.mark.parametrize("name", HISTORIES)
def test_sample_of_orders_ends_where_the_money_is(make_history: MakeHistory, name: str) -> None:
    history = make_history(name)
    told = range(len(history.events))

    run_each(history, [told, told[::-1], *random_orders(SAMPLE_SIZE, len(told))])


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", HISTORIES)
def test_every_order_ends_where_the_money_is(make_history: MakeHistory, name: str, part: int) -> None:
    history = make_history(name)
    size = len(history.events)
    if size <= MOST_PERMUTED:
        orders: list[Sequence[int]] = list(itertools.permutations(range(size)))
        assert len(orders) == math.factorial(size)
    else:
        orders = random_orders(RANDOM_ORDERS, size)

    run_each(history, orders[part::4])  # four parts, for as many processes
