"""All 5,040 orders in which the events of one delayed payment can come end in the same credits, posted once.

Seven deliveries: a failed attempt, completed (unpaid), the delayed success, the intent's success, and the last three
once more under other ids. The normal run takes a sample; `-m nightly` takes all.
"""

import copy
import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from billing.gateway.client import StripeGateway
from billing.gateway.facts import PaymentIntentFacts, SessionFacts
from billing.gateway.parsing import parse_event
from billing.models import BillingCustomer, CreditPack, LedgerEntry, Payment, StripeEvent
from billing.tests.shop import open_checkout
from billing.webhooks.inbox import store_event, work_off_due_events
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db

FAILED, COMPLETED = "payment_intent.payment_failed", "checkout.session.completed"
DELAYED_SUCCESS, INTENT_SUCCESS = "checkout.session.async_payment_succeeded", "payment_intent.succeeded"
DELIVERIES = [FAILED, COMPLETED, DELAYED_SUCCESS, INTENT_SUCCESS, COMPLETED, DELAYED_SUCCESS, INTENT_SUCCESS]
ORDERS = list(itertools.permutations(range(len(DELIVERIES))))
SAMPLE_SIZE = 50
STAGES = [FAILED, COMPLETED, DELAYED_SUCCESS]  # Stripe's objects once each of these could have been sent
WHOLE_PACK = Decimal(10_500)

Order = Sequence[int]


class WitnessGateway(StripeGateway):
    """The real gateway; remembers whether any answer of Stripe's told of the money."""

    has_seen_money = False

    def retrieve_session(self, *, session_id: str) -> SessionFacts:
        session = super().retrieve_session(session_id=session_id)
        self.has_seen_money |= session.payment_status == "paid"
        return session

    def retrieve_payment_intent(self, *, payment_intent_id: str) -> PaymentIntentFacts:
        intent = super().retrieve_payment_intent(payment_intent_id=payment_intent_id)
        self.has_seen_money |= intent.status == "succeeded"
        return intent


@dataclass(frozen=True)
class History:
    """One delayed payment at Stripe: the events it sent, and its objects as they were at each stage."""

    sandbox: SandboxServer
    gateway: WitnessGateway
    payment: Payment
    events: dict[str, dict[str, Any]]
    stages: dict[str, list[dict[str, Any]]]

    def move_stripe_to(self, stage: str) -> None:
        """Put Stripe's objects into the state in which they were then."""
        with self.sandbox.sandbox.work():
            for snapshot in self.stages[stage]:
                self.sandbox.sandbox.store.put(copy.deepcopy(snapshot))


@pytest.fixture
def history(
    stripe_sandbox: SandboxServer,
    gateway: StripeGateway,
    customer: BillingCustomer,
    pack: CreditPack,
    settings: Settings,
) -> Iterator[History]:
    settings.WEBHOOK_MAX_TRIES = 100  # three reads in ten fail: no order shall end by bad luck
    control, sandbox = stripe_sandbox.control, stripe_sandbox.sandbox
    started = open_checkout(customer=customer, pack=pack, gateway=gateway)
    stages: dict[str, list[dict[str, Any]]] = {}

    def remember(stage: str) -> None:
        with sandbox.work():
            session = sandbox.require("checkout.session", started.session_id)
            intents = sandbox.store.find("payment_intent")
            stages[stage] = copy.deepcopy([session, *intents])

    control.pay_session(started.session_id, card="4000 0000 0000 0002")
    remember(FAILED)
    control.pay_session(started.session_id, method="bank_debit")
    remember(COMPLETED)
    control.settle_delayed(started.session_id)
    remember(DELAYED_SUCCESS)
    events = {event["type"]: event for event in control.list_events(*DELIVERIES)}
    assert set(events) == set(DELIVERIES)
    witness = WitnessGateway(secret_key="sk_test_sandbox", api_base=stripe_sandbox.base_url, max_network_retries=0)
    yield History(stripe_sandbox, witness, started.payment, events, stages)
    control.clear_faults()


def sample_of_orders() -> list[Order]:
    return random.Random(20_261_120).sample(ORDERS, SAMPLE_SIZE)


def store(history: History, position: int, *, api_version: str | None) -> None:
    """Store one delivery, under an id of its own."""
    event = {**history.events[DELIVERIES[position]], "id": f"evt_delivery{position}"}
    event["api_version"] = api_version or event["api_version"]
    store_event(event=parse_event(event), body=json.dumps(event).encode())


def try_everything(history: History) -> int:
    """Try every pending event once, whenever it is due; gives how many there were."""
    pending = StripeEvent.objects.filter(state="pending")
    count = pending.update(next_try_at=timezone.now())
    work_off_due_events(gateway=history.gateway, limit=count)
    return count


def credits_so_far(history: History) -> Decimal:
    entries = list(LedgerEntry.objects.filter(payment=history.payment))
    assert len(entries) <= 1, "posted twice"
    return entries[0].amount if entries else Decimal(0)


def assert_ended_well(history: History, order: Order) -> None:
    for _ in range(100):
        if not try_everything(history):
            break
    assert credits_so_far(history) == WHOLE_PACK, order
    assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done"}, order
    assert Payment.objects.get(pk=history.payment.pk).state == "paid", order


def run_as_told(history: History, order: Order) -> None:
    """Stripe's objects are final, events are of our release: what they tell is all that we know."""
    history.move_stripe_to(DELAYED_SUCCESS)
    was_told = False
    for position in order:
        store(history, position, api_version=None)
        try_everything(history)
        was_told |= DELIVERIES[position] in (DELAYED_SUCCESS, INTENT_SUCCESS)
        assert credits_so_far(history) == (WHOLE_PACK if was_told else 0), order
    assert_ended_well(history, order)


def run_as_read(history: History, order: Order, *, advancing: bool) -> None:
    """Events are of an old release, so each is read anew, and three reads in ten fail.

    Stripe's objects are final from the start, or go on just as far as each delivery could not have been sent without.
    """
    stage = 0 if advancing else len(STAGES) - 1
    history.gateway.has_seen_money = False
    for position in order:
        stage = max(stage, STAGES.index(DELIVERIES[position].replace(INTENT_SUCCESS, DELAYED_SUCCESS)))
        history.move_stripe_to(STAGES[stage])
        store(history, position, api_version="2020-08-27")
        try_everything(history)
        assert credits_so_far(history) == (WHOLE_PACK if history.gateway.has_seen_money else 0), order
    assert_ended_well(history, order)


def run_each(history: History, orders: Sequence[Order]) -> None:
    for order in orders:
        beginning = transaction.savepoint()
        run_as_told(history, order)
        transaction.savepoint_rollback(beginning)

        history.sandbox.control.fail_reads(percent=30)
        for advancing in (False, True):
            beginning = transaction.savepoint()
            run_as_read(history, order, advancing=advancing)
            transaction.savepoint_rollback(beginning)
        history.sandbox.control.clear_faults()


def test_sample_of_orders_ends_in_the_same_credits(history: History) -> None:
    run_each(history, sample_of_orders())


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(4))
def test_every_order_ends_in_the_same_credits(history: History, part: int) -> None:
    assert len(ORDERS) == math.factorial(7) == 5_040  # four parts, for as many processes

    run_each(history, ORDERS[part::4])
