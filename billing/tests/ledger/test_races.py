"""Races that could cost money, with real processes and real connections."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from billing.kinds import EntryKind
from billing.ledger.verification import verify_ledger
from billing.models import BillingCustomer, CreditBalance, CreditHold, LedgerEntry
from billing.services.holds import place_hold
from billing.services.posting import Posting, post
from billing.tests.ledger import race_workers
from billing.tests.ledger.factories import make_customer

PROCESSES = 8
CONNECTIONS = 50

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(
        max_workers=PROCESSES,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=race_workers.join_database,
        initargs=(connection.settings_dict["NAME"],),
    ) as pool:
        yield pool


def _give(customer: BillingCustomer, amount: int) -> None:
    posting = Posting(customer_id=customer.pk, kind=EntryKind.PROMOTION, amount=Decimal(amount), key="grant:test")
    post(posting=posting)


def test_eight_hundred_attempts_at_a_hundred_credits_spend_exactly_a_hundred(processes: ProcessPoolExecutor) -> None:
    customer = make_customer()
    _give(customer, 100)

    spent = list(processes.map(race_workers.spend_one_by_one, [customer.pk] * 8, range(8), [100] * 8))

    assert sum(spent) == 100
    assert CreditBalance.objects.get(pk=customer.pk).posted == 0
    assert LedgerEntry.objects.filter(customer=customer, kind="usage").count() == 100
    assert list(verify_ledger()) == []


def test_one_key_from_fifty_connections_gives_one_entry() -> None:
    customer = make_customer()
    _give(customer, 100)
    start = threading.Barrier(CONNECTIONS)

    def spend(_: int) -> int:
        start.wait()
        try:
            posting = Posting(customer_id=customer.pk, kind=EntryKind.USAGE, amount=Decimal(-1), key="api:once")
            return post(posting=posting).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        entries = set(pool.map(spend, range(CONNECTIONS)))

    assert len(entries) == 1
    assert CreditBalance.objects.get(pk=customer.pk).posted == 99
    assert list(verify_ledger()) == []


def test_batches_in_opposite_order_never_deadlock(processes: ProcessPoolExecutor) -> None:
    customers = [make_customer() for _ in range(10)]
    for customer in customers:
        _give(customer, 1000)
    forward = [customer.pk for customer in customers]
    orders = [forward, forward[::-1]] * 4

    batches = list(processes.map(race_workers.post_batches, orders, range(8), [40] * 8))

    assert sum(batches) == 320
    assert set(CreditBalance.objects.values_list("posted", flat=True)) == {Decimal(1000 - 320)}
    assert list(verify_ledger()) == []


def test_settling_against_expiring_charges_the_work_exactly_once(processes: ProcessPoolExecutor) -> None:
    customer = make_customer()
    _give(customer, 1000)
    holds = [
        place_hold(customer_id=customer.pk, amount=Decimal(5), key=f"api:{number}", lifetime=timedelta(microseconds=1))
        for number in range(100)
    ]
    names = [hold.public_id for hold in holds]

    settled = processes.submit(race_workers.settle_all, names, "3")
    expired = processes.submit(race_workers.expire_all, names)

    assert settled.result() == 100
    assert expired.result() == 100
    balance = CreditBalance.objects.get(pk=customer.pk)
    assert (balance.posted, balance.held) == (Decimal(1000 - 300), 0)
    assert set(CreditHold.objects.values_list("state", flat=True)) == {"settled"}
    assert LedgerEntry.objects.filter(customer=customer, kind="usage").count() == 100
    late = set(CreditHold.objects.filter(is_late=True).values_list("pk", flat=True))
    assert set(LedgerEntry.objects.filter(is_late=True).values_list("hold_id", flat=True)) == late
    assert list(verify_ledger()) == []


def test_two_settlements_with_different_costs_charge_one_of_them(processes: ProcessPoolExecutor) -> None:
    customer = make_customer()
    _give(customer, 1000)
    holds = [place_hold(customer_id=customer.pk, amount=Decimal(5), key=f"api:{number}") for number in range(60)]
    names = [hold.public_id for hold in holds]

    accepted = list(processes.map(race_workers.settle_all, [names, names], ["3", "4"]))

    assert sum(accepted) == 60
    assert LedgerEntry.objects.filter(customer=customer, kind="usage").count() == 60
    assert CreditBalance.objects.get(pk=customer.pk).held == 0
    assert list(verify_ledger()) == []


def test_an_expired_hold_is_open_until_it_is_swept() -> None:
    customer = make_customer()
    _give(customer, 10)
    hold = place_hold(customer_id=customer.pk, amount=Decimal(5), key="api:1", lifetime=timedelta(microseconds=1))
    assert hold.state == "open"

    race_workers.expire_all([hold.public_id])

    hold.refresh_from_db()
    assert hold.state == "expired"
    assert hold.ended_at is not None
    assert hold.ended_at <= timezone.now()
