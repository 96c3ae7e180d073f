"""Metered calls that are killed, come late, or run twice: real processes and connections."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from subprocess import Popen

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing.models import CreditHold, LedgerEntry
from billing.services.holds import expire_stale_holds
from billing.services.verification import find_ledger_faults
from billing.tests.processes import running_command, wait_until
from billing.usage_cost import Tokens
from usage.metering import AlreadyCharged, metered
from usage.models import Basis, UsageEvent
from usage.services.calls import finish_call, open_call
from usage.tests.factories import MODEL, balance_of, customer_of, make_price, make_user

pytestmark = pytest.mark.django_db(transaction=True)

PROMPT = "x" * 24
WAIT_SECONDS = 60


@pytest.fixture
def payer(db: None) -> User:
    make_price()
    return make_user(credits=1000)


@contextmanager
def running_call(user: User, mode: str) -> Iterator["Popen[bytes]"]:
    """A process inside its metered call."""
    command = ("-m", "usage.tests.metering_worker", str(user.pk), mode)
    with running_command(*command, redis_url=settings.REDIS_URL, stripe_api_base="http://127.0.0.1:9") as process:
        wait_until(CreditHold.objects.exists, seconds=WAIT_SECONDS)
        yield process


def let_holds_expire() -> None:
    CreditHold.objects.filter(state="open").update(expires_at=timezone.now() - timedelta(seconds=1))
    expire_stale_holds(now=timezone.now())


def test_killed_process_leaves_a_hold_that_expires_and_charges_nothing(payer: User) -> None:
    with running_call(payer, "hang") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert balance_of(payer).held == 210

    let_holds_expire()

    assert (balance_of(payer).posted, balance_of(payer).held) == (1000, 0)
    assert not UsageEvent.objects.exists()
    assert list(find_ledger_faults()) == []


def test_job_of_a_killed_process_may_be_done_by_another_at_once(payer: User) -> None:
    with running_call(payer, "hang") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    with metered(payer, MODEL, PROMPT, idempotency_key="job-1") as call:
        call.report({"prompt_tokens": 10, "completion_tokens": 20})

    assert (call.charged, balance_of(payer).posted, balance_of(payer).held) == (50, 950, 0)
    assert CreditHold.objects.count() == 1


def test_process_that_comes_late_is_still_charged_once(payer: User) -> None:
    with running_call(payer, "late") as process:
        let_holds_expire()
        retried = metered(payer, MODEL, PROMPT, idempotency_key="job-1").open()
        assert process.wait(timeout=WAIT_SECONDS) == 0
        retried.report({"prompt_tokens": 500})
        event = retried.close()

    assert (event.credits, event.basis, balance_of(payer).posted, balance_of(payer).held) == (20, "reported", 980, 0)
    assert LedgerEntry.objects.get(kind="usage").is_late
    assert sorted(CreditHold.objects.values_list("state", flat=True)) == ["released", "settled"]
    with pytest.raises(AlreadyCharged):
        metered(payer, MODEL, PROMPT, idempotency_key="job-1").open()
    assert list(find_ledger_faults()) == []


def test_one_job_by_eight_workers_at_once_is_charged_once(payer: User) -> None:
    workers = 8
    inside = threading.Barrier(workers)

    def work(number: int) -> int:
        try:
            with metered(User.objects.get(pk=payer.pk), MODEL, PROMPT, idempotency_key="job-1") as call:
                inside.wait(timeout=WAIT_SECONDS)
                call.report(Tokens(input=number + 1))
            return call.event.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        events = set(pool.map(work, range(workers)))

    event = UsageEvent.objects.get()
    assert events == {event.pk}
    assert 1 <= event.credits <= workers
    assert (balance_of(payer).posted, balance_of(payer).held) == (1000 - event.credits, 0)
    assert list(find_ledger_faults()) == []


def test_two_attempts_with_holds_of_their_own_charge_one_of_them(payer: User) -> None:
    customer_id, rounds = customer_of(payer).pk, 20
    pairs = []
    for number in range(rounds):
        wish = {"customer_id": customer_id, "model": MODEL, "input_tokens": 1, "max_tokens": 1}
        first = open_call(**wish, event_id=f"job-{number}")  # type: ignore[arg-type]
        let_holds_expire()
        pairs += [(first, 3), (open_call(**wish, event_id=f"job-{number}"), 4)]  # type: ignore[arg-type]
    start = threading.Barrier(2)

    def finish(part: int) -> list[int]:
        start.wait(timeout=WAIT_SECONDS)
        try:
            return [
                finish_call(call=call, tokens=Tokens(input=tokens), basis=Basis.REPORTED).pk
                for call, tokens in pairs[part::2]
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(finish, range(2))

    assert one == other
    charged = sum(UsageEvent.objects.values_list("credits", flat=True), Decimal(0))
    assert UsageEvent.objects.count() == rounds
    assert (balance_of(payer).posted, balance_of(payer).held) == (1000 - charged, 0)
    assert list(find_ledger_faults()) == []


def test_many_parallel_calls_hold_no_more_than_there_is(payer: User) -> None:
    workers = 12
    start = threading.Barrier(workers)

    def work(number: int) -> str:
        start.wait(timeout=WAIT_SECONDS)
        try:
            call = open_call(
                customer_id=customer_of(payer).pk,
                model=MODEL,
                input_tokens=10,
                max_tokens=None,
                event_id=f"job-{number}",
            )
            return f"held {call.hold.amount}"
        except Exception as refusal:  # its name is what is asserted
            return type(refusal).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        outcomes = sorted(pool.map(work, range(workers)))

    assert outcomes == ["InsufficientCredits"] * 8 + ["held 210.000000"] * 4
    assert balance_of(payer).held == 840
