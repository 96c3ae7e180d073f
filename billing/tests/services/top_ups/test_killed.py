"""Processes that are killed at any moment of a top-up: those that come after them charge once, and nothing waits.

Real processes and real kills, chosen by what Stripe is asked, or by what the database is about to write.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from billing.gateway.billing_details import Address
from billing.ledger.verification import verify_ledger
from billing.models import Payment
from billing.services.customers import freeze_customer, unfreeze_customer
from billing.tests.processes import wait_until
from billing.tests.services.top_ups.conftest import Clock
from billing.tests.sweepers import Nursery, Sweeper, running_nursery
from billing.tests.top_ups import Shopper
from billing.tests.watched_stripe import Moment, WatchedStripe, watch_stripe
from sandbox.stripe.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)

CHARGE = "POST /v1/payment_intents"
DRAFT, ITEM, FINALIZE, PAY, READ = TAXED_STEPS = (
    "POST /v1/invoices",
    "POST /v1/invoiceitems",
    "POST /v1/invoices/*/finalize",
    "POST /v1/invoices/*/pay",
    "GET /v1/payment_intents/*",
)
VOID, DELETE = "POST /v1/invoices/*/void", "DELETE /v1/invoices/*"
PRICE, WITH_TAX = 1000, 1200
AT_IT_SECONDS = 4.0  # longer than the SDK goes on asking
_LOCK = 20_402


@pytest.fixture(scope="module")
def watched(stripe_sandbox_server: SandboxServer) -> Iterator[WatchedStripe]:
    with watch_stripe(stripe_sandbox_server.base_url) as watched:
        yield watched


@pytest.fixture(scope="module")
def running(watched: WatchedStripe, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Nursery]:
    with running_nursery(redis_url=django_settings.REDIS_URL, stripe_api_base=watched.url) as nursery:
        yield nursery


@pytest.fixture
def nursery(running: Nursery, watched: WatchedStripe) -> Nursery:
    watched.forget()
    running.is_taxed = False
    return running


@pytest.fixture
def plain(shopper: Shopper, nursery: Nursery) -> Shopper:
    """A shopper whose top-up is due, and is one payment intent."""
    shopper.spend_down_to(0)
    return shopper


@pytest.fixture
def taxed(request: pytest.FixtureRequest, nursery: Nursery, settings: Settings) -> Shopper:
    """A shopper whose top-up is due, and is an invoice with tax."""
    settings.STRIPE_AUTOMATIC_TAX = nursery.is_taxed = True
    shopper: Shopper = request.getfixturevalue("shopper")
    shopper.gateway.update_billing_details(
        customer_id=str(shopper.customer.stripe_customer_id),
        name="Ada",
        email="",
        address=Address(country="FR"),
        idempotency_key="details-1",
    )
    shopper.spend_down_to(0)
    return shopper


def kill_at(step: str, moment: Moment, *, watched: WatchedStripe, victim: Sweeper) -> None:
    watched.at(step, moment, victim.kill)
    victim.begin().wait_until_killed()


@contextmanager
def held_up(table: str, when: str) -> Iterator[None]:
    """Whoever writes such a row waits, with its database transaction open."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        cursor.execute(
            "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM pg_advisory_xact_lock({_LOCK}); RETURN NEW; END $$"
        )
        cursor.execute(f"CREATE TRIGGER hold_up BEFORE {when} EXECUTE FUNCTION hold_up()")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
            cursor.execute(f"DROP TRIGGER hold_up ON {table}")  # waits until what is left of the killed one is gone
            cursor.execute("DROP FUNCTION hold_up()")


def is_held_up() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", [_LOCK])
        return cursor.fetchone() is not None


def kill_where_it_writes(table: str, when: str, *, victim: Sweeper) -> None:
    with held_up(table, when):
        victim.begin()
        wait_until(is_held_up, seconds=20)
        victim.kill()


def settle(shopper: Shopper, *, nursery: Nursery, clock: Clock, **wait: float) -> None:
    """Let two sweepers at a time come by, after a while and then later and later, until nothing is due any more."""
    for duration in (wait or {"seconds": 61}, {"minutes": 3}, {"minutes": 6}, {"minutes": 16}):
        clock.move(**duration)
        nursery.sweep(count=2)
        open_count = sum(attempt.state == "pending" for attempt in shopper.attempts)
        assert open_count <= 1
        if not open_count and shopper.balance.top_up_due_at is None:
            return
    raise AssertionError(f"It is stuck: {shopper.attempts}, {shopper.balance.top_up_due_at}")


def assert_something_is_due(shopper: Shopper) -> None:
    """What the killed one was at is looked at again soon: the wish, or the one attempt."""
    soon = timezone.now() + timedelta(minutes=1)
    due_at, attempts = shopper.balance.top_up_due_at, shopper.attempts
    assert len(attempts) <= 1
    if due_at is not None:
        assert (due_at <= soon, attempts) == (True, [])
    else:
        assert attempts[0].next_try_at is not None
        assert attempts[0].next_try_at <= soon


def assert_paid_once(shopper: Shopper, *, price_minor: int, attempts: int = 1) -> None:
    """One charge at Stripe, one payment, its credits once, and nothing to wait for."""
    charges = [charge for charge in shopper.sandbox.control.list_objects("charge") if charge["paid"]]
    assert sorted(charge["amount"] for charge in charges) == sorted([*_bought_minor(shopper), price_minor])
    assert [attempt.state for attempt in shopper.attempts] == ["failed"] * (attempts - 1) + ["paid"]
    assert [attempt.next_try_at for attempt in shopper.attempts] == [None] * attempts
    assert (shopper.topped_up(), shopper.balance.posted, shopper.balance.top_up_due_at) == (1, 10_500, None)
    assert (shopper.state, list(verify_ledger())) == (("on", ""), [])


def _bought_minor(shopper: Shopper) -> list[int]:
    bought = Payment.objects.get(pk=shopper.bought.pk)
    return [bought.paid_amount_minor or 0]


def assert_nothing_changes_that(
    shopper: Shopper, *, nursery: Nursery, clock: Clock, price_minor: int, attempts: int = 1
) -> None:
    """Not the events of it all, nor sweepers that come by later."""
    assert_paid_once(shopper, price_minor=price_minor, attempts=attempts)
    shopper.deliver()
    assert_paid_once(shopper, price_minor=price_minor, attempts=attempts)
    clock.move(hours=2)
    nursery.sweep()
    assert_paid_once(shopper, price_minor=price_minor, attempts=attempts)


@pytest.mark.parametrize("moment", ["asked", "sent", "answered"])
def test_killed_around_the_charge(
    plain: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock, moment: Moment
) -> None:
    if moment == "sent":
        plain.sandbox.control.add_fault("slow", method="POST", path="/v1/payment_intents", seconds=AT_IT_SECONDS)
    kill_at(CHARGE, moment, watched=watched, victim=nursery.make())
    assert plain.charges() == ([PRICE] if moment == "answered" else [])
    assert_something_is_due(plain)
    nursery.sweep()
    assert len(watched.calls) == 1  # whoever claimed it may still be at it

    settle(plain, nursery=nursery, clock=clock)
    wait_until(lambda: not watched.under_way, seconds=20)

    assert_nothing_changes_that(plain, nursery=nursery, clock=clock, price_minor=PRICE)
    assert len(watched.keys_of(CHARGE)) == 1


@pytest.mark.parametrize("step", TAXED_STEPS)
def test_killed_after_a_step_of_an_invoice(
    taxed: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock, step: str
) -> None:
    kill_at(step, "answered", watched=watched, victim=nursery.make())
    assert_something_is_due(taxed)

    settle(taxed, nursery=nursery, clock=clock)

    assert_nothing_changes_that(taxed, nursery=nursery, clock=clock, price_minor=WITH_TAX)
    assert all(len(watched.keys_of(step)) == 1 for step in (DRAFT, ITEM, FINALIZE, PAY))


def test_killed_while_stripe_collects_an_invoice(
    taxed: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock
) -> None:
    def be_slow() -> None:
        taxed.sandbox.control.add_fault("slow", method="POST", path="/v1/invoices/", seconds=AT_IT_SECONDS)

    watched.at(FINALIZE, "answered", be_slow)
    kill_at(PAY, "sent", watched=watched, victim=nursery.make())

    settle(taxed, nursery=nursery, clock=clock)
    wait_until(lambda: not watched.under_way, seconds=20)

    assert_nothing_changes_that(taxed, nursery=nursery, clock=clock, price_minor=WITH_TAX)


def test_killed_before_each_step_of_an_invoice_again_and_again(
    taxed: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock
) -> None:
    for step in TAXED_STEPS:
        kill_at(step, "asked", watched=watched, victim=nursery.make())
        clock.move(minutes=61)

    settle(taxed, nursery=nursery, clock=clock)

    assert_nothing_changes_that(taxed, nursery=nursery, clock=clock, price_minor=WITH_TAX)
    assert all(len(watched.keys_of(step)) == 1 for step in (DRAFT, ITEM, FINALIZE, PAY))


def test_the_task_that_spending_woke_is_killed(
    plain: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock
) -> None:
    kill_at(CHARGE, "answered", watched=watched, victim=nursery.make(task_of=plain.customer.pk))
    assert_something_is_due(plain)

    settle(plain, nursery=nursery, clock=clock)

    assert_nothing_changes_that(plain, nursery=nursery, clock=clock, price_minor=PRICE)


@pytest.mark.parametrize(("kind", "step"), [("plain", CHARGE), ("taxed", PAY), ("taxed", READ)])
def test_the_event_comes_before_another_process(
    request: pytest.FixtureRequest, nursery: Nursery, watched: WatchedStripe, clock: Clock, kind: str, step: str
) -> None:
    shopper: Shopper = request.getfixturevalue(kind)
    kill_at(step, "answered", watched=watched, victim=nursery.make())
    assert shopper.topped_up() == 0

    shopper.deliver()

    assert shopper.topped_up() == 1
    settle(shopper, nursery=nursery, clock=clock)
    price_minor = PRICE if kind == "plain" else WITH_TAX
    assert_nothing_changes_that(shopper, nursery=nursery, clock=clock, price_minor=price_minor)


@pytest.mark.parametrize(
    ("kind", "step", "moment", "attempts"),
    [
        ("plain", CHARGE, "asked", 2),
        ("plain", CHARGE, "answered", 1),
        ("taxed", DRAFT, "answered", 2),
        ("taxed", FINALIZE, "answered", 2),
        ("taxed", PAY, "answered", 1),
    ],
)
def test_nobody_comes_for_a_day(
    request: pytest.FixtureRequest,
    nursery: Nursery,
    watched: WatchedStripe,
    clock: Clock,
    kind: str,
    step: str,
    moment: Moment,
    attempts: int,
) -> None:
    """Stripe may have forgotten the key. What was charged is found; what was not is ended, and asked for anew."""
    shopper: Shopper = request.getfixturevalue(kind)
    kill_at(step, moment, watched=watched, victim=nursery.make())
    (first,) = shopper.attempts

    settle(shopper, nursery=nursery, clock=clock, hours=25)

    price_minor = PRICE if kind == "plain" else WITH_TAX
    assert_nothing_changes_that(shopper, nursery=nursery, clock=clock, price_minor=price_minor, attempts=attempts)
    sent = [call for call in watched.calls if call.idempotency_key.startswith(first.stripe_idempotency_key)]
    assert [call for call in sent if not call.is_step(VOID)][-1].is_step(step)
    open_ones = [one for one in shopper.sandbox.control.list_objects("invoice") if one["status"] in ("draft", "open")]
    assert open_ones == []


def test_killed_between_the_decision_and_the_claim(plain: Shopper, nursery: Nursery, clock: Clock) -> None:
    kill_where_it_writes(
        "billing_payment",
        "UPDATE ON billing_payment FOR EACH ROW WHEN (OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL)",
        victim=nursery.make(),
    )
    (attempt,) = plain.attempts
    assert (attempt.tries, attempt.sent_at, attempt.stripe_idempotency_key) == (0, None, f"top-up-{attempt.public_id}")
    assert_something_is_due(plain)

    nursery.sweep(count=2)

    assert_nothing_changes_that(plain, nursery=nursery, clock=clock, price_minor=PRICE)


@pytest.mark.parametrize(("kind", "price_minor"), [("plain", PRICE), ("taxed", WITH_TAX)])
def test_killed_while_it_records(
    request: pytest.FixtureRequest, nursery: Nursery, clock: Clock, kind: str, price_minor: int
) -> None:
    shopper: Shopper = request.getfixturevalue(kind)
    kill_where_it_writes("billing_ledgerentry", "INSERT ON billing_ledgerentry FOR EACH ROW", victim=nursery.make())
    assert (shopper.attempts[0].state, shopper.topped_up()) == ("pending", 0)
    assert_something_is_due(shopper)

    settle(shopper, nursery=nursery, clock=clock)

    assert_nothing_changes_that(shopper, nursery=nursery, clock=clock, price_minor=price_minor)


def test_killed_after_it_recorded(plain: Shopper, nursery: Nursery, clock: Clock) -> None:
    victim = nursery.make(interval=0.2).begin()
    wait_until(lambda: plain.topped_up() == 1, seconds=20)
    victim.kill()

    assert_nothing_changes_that(plain, nursery=nursery, clock=clock, price_minor=PRICE)


@pytest.mark.parametrize("is_event_first", [True, False])
def test_killed_while_the_bank_takes_its_time(
    plain: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock, is_event_first: bool
) -> None:
    """The intent is recorded, and there are no credits before it has succeeded."""

    def is_under_way(intent: dict[str, Any]) -> None:
        intent |= {"status": "processing", "latest_charge": None, "amount_received": 0}

    watched.change_answer(CHARGE, is_under_way)
    victim = nursery.make(interval=0.2).begin()
    wait_until(lambda: any(attempt.payment_intent_id for attempt in plain.attempts), seconds=20)
    victim.kill()
    assert (plain.attempts[0].state, plain.topped_up()) == ("pending", 0)
    assert_something_is_due(plain)

    if is_event_first:
        plain.deliver()
        assert plain.topped_up() == 1
    settle(plain, nursery=nursery, clock=clock)

    assert_nothing_changes_that(plain, nursery=nursery, clock=clock, price_minor=PRICE)
    assert [call.method for call in watched.calls if call.idempotency_key] == ["POST"]


def test_killed_after_it_voided_what_must_not_be_paid_now(
    taxed: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock
) -> None:
    """When nothing speaks against the charge any more, it is made by another invoice."""
    customer_id = taxed.customer.pk
    watched.at(FINALIZE, "answered", lambda: freeze_customer(customer_id=customer_id, reason="Looking into it"))
    kill_at(VOID, "answered", watched=watched, victim=nursery.make())
    assert_something_is_due(taxed)
    unfreeze_customer(customer_id=customer_id, reason="All is well")

    settle(taxed, nursery=nursery, clock=clock)

    assert_nothing_changes_that(taxed, nursery=nursery, clock=clock, price_minor=WITH_TAX, attempts=2)


def test_killed_after_it_deleted_a_draft(
    taxed: Shopper, nursery: Nursery, watched: WatchedStripe, clock: Clock
) -> None:
    kill_at(DRAFT, "answered", watched=watched, victim=nursery.make())
    freeze_customer(customer_id=taxed.customer.pk, reason="Looking into it")
    clock.move(minutes=61)
    kill_at(DELETE, "answered", watched=watched, victim=nursery.make())
    unfreeze_customer(customer_id=taxed.customer.pk, reason="All is well")

    settle(taxed, nursery=nursery, clock=clock, minutes=3)

    assert_nothing_changes_that(taxed, nursery=nursery, clock=clock, price_minor=WITH_TAX, attempts=2)
