"""Real workers, killed at the worst moments: a summary is charged once in the end, or not at all."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.credits import deduct_credits
from billing.models import CreditBalance, CreditHold, LedgerEntry
from billing.services.holds import expire_stale_holds
from billing.services.verification import find_ledger_faults
from billing.tests.processes import running_command, wait_until
from usage.models import CommitSummary, SummaryState, UsageEvent
from usage.services.summaries import request_summary
from usage.services.summary_runs import LEASE, run_due_summaries, run_summary
from usage.services.summary_sources import read_source
from usage.tests.factories import balance_of, customer_of, make_price, make_user
from usage.tests.summaries.conftest import MODEL
from usage.tests.summaries.test_pasted_diffs import DIFF
from usage.tests.summaries.test_running import COST
from usage.tests.summaries.upstream import Upstream

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = """
import os, django
django.setup()
from usage.services.summary_runs import run_summary
run_summary(public_id=os.environ["PREPAID_TEST_SUMMARY"])
"""


@pytest.fixture
def rich(settings: Settings) -> User:
    """Somebody with 1,000 credits where summaries have a price."""
    settings.SUMMARY_MODEL = MODEL
    make_price(MODEL, input_usd_per_1k="0.01", cached_input_usd_per_1k="0.001", output_usd_per_1k="0.02")
    return make_user(credits=1000)


@pytest.fixture
def summary(rich: User) -> CommitSummary:
    return request_summary(customer_id=customer_of(rich).pk, source=read_source(diff=DIFF)).summary


@pytest.fixture
def worker(summary: CommitSummary, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Starts a process that does the summary."""
    monkeypatch.setenv("PREPAID_TEST_LLM", upstream.base_url)
    monkeypatch.setenv("PREPAID_TEST_SUMMARY", summary.public_id)

    def start() -> Any:
        return running_command("-c", WORKER, redis_url="redis://127.0.0.1:9/0", stripe_api_base="http://127.0.0.1:9")

    return start


@contextmanager
def locked_balance(user: User) -> Iterator[None]:
    """Nobody can charge the user meanwhile."""
    with transaction.atomic():
        CreditBalance.objects.select_for_update().get(customer__user=user)
        yield


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def let_the_lease_end(summary: CommitSummary) -> None:
    CommitSummary.objects.filter(pk=summary.pk).update(claimed_at=timezone.now() - LEASE)


def kill_while_the_model_writes(worker: Callable[[], Any], upstream: Upstream) -> None:
    upstream.may_answer.clear()
    with worker() as process:
        assert upstream.was_asked.wait(60)
        process.kill()
        process.wait()
    upstream.may_answer.set()


def check_one_charge(user: User, summary: CommitSummary) -> None:
    done = CommitSummary.objects.get(pk=summary.pk)
    assert (done.state, done.diff) == (SummaryState.DONE, "")
    assert LedgerEntry.objects.filter(kind="usage").count() == UsageEvent.objects.count() == 1
    assert (balance_of(user).posted, balance_of(user).held) == (1000 - COST, 0)
    assert not list(find_ledger_faults())


def test_killed_while_the_model_writes(
    rich: User, summary: CommitSummary, upstream: Upstream, worker: Callable[[], Any]
) -> None:
    kill_while_the_model_writes(worker, upstream)

    killed = CommitSummary.objects.get(pk=summary.pk)
    too_early = run_summary(public_id=summary.public_id)
    assert (killed.state, too_early) == (SummaryState.SUMMARISING, False)
    assert (balance_of(rich).posted, balance_of(rich).held) == (1000, summary.estimated_credits)
    let_the_lease_end(summary)
    assert run_due_summaries() == 1
    assert run_summary(public_id=summary.public_id)

    check_one_charge(rich, summary)
    assert CommitSummary.objects.get(pk=summary.pk).tries == 2


def test_killed_while_it_charges(
    rich: User, summary: CommitSummary, upstream: Upstream, worker: Callable[[], Any]
) -> None:
    upstream.may_answer.clear()
    with worker() as process:
        assert upstream.was_asked.wait(60)
        with locked_balance(rich):
            upstream.may_answer.set()
            wait_until(waits_for_a_lock, seconds=60)
            process.kill()
            process.wait()

    wait_until(lambda: not waits_for_a_lock(), seconds=30)
    assert balance_of(rich).posted == 1000
    let_the_lease_end(summary)
    run_summary(public_id=summary.public_id)

    check_one_charge(rich, summary)


def test_killed_and_taken_up_after_its_hold_has_expired(
    rich: User, summary: CommitSummary, upstream: Upstream, worker: Callable[[], Any]
) -> None:
    kill_while_the_model_writes(worker, upstream)
    past = timezone.now() - timedelta(seconds=1)
    CreditHold.objects.update(placed_at=past - timedelta(minutes=15), expires_at=past)
    expire_stale_holds(now=timezone.now())
    assert balance_of(rich).held == 0

    let_the_lease_end(summary)
    run_summary(public_id=summary.public_id)

    check_one_charge(rich, summary)
    assert sorted(CreditHold.objects.values_list("state", flat=True)) == ["expired", "settled"]


def test_a_worker_that_was_only_slow_charges_nothing_when_another_has_taken_over(
    rich: User, summary: CommitSummary, upstream: Upstream, worker: Callable[[], Any]
) -> None:
    upstream.may_answer.clear()
    with worker() as process:
        assert upstream.was_asked.wait(60)
        let_the_lease_end(summary)
        CommitSummary.objects.filter(pk=summary.pk).update(tries=2, claimed_at=timezone.now())  # another's claim
        upstream.may_answer.set()
        process.wait(60)

    taken_over = CommitSummary.objects.get(pk=summary.pk)
    assert (taken_over.state, taken_over.summary) == (SummaryState.SUMMARISING, "")
    assert balance_of(rich).posted == 1000
    let_the_lease_end(summary)
    run_summary(public_id=summary.public_id)

    check_one_charge(rich, summary)


def test_many_workers_at_once_do_it_once(rich: User, summary: CommitSummary, upstream: Upstream) -> None:
    start = Barrier(6)

    def work(_: int) -> bool:
        start.wait()
        try:
            return run_summary(public_id=summary.public_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(work, range(6)))

    assert sum(outcomes) == len(upstream.asked) == 1
    check_one_charge(rich, summary)


def test_credits_spent_elsewhere_before_it_is_taken_up_again_end_it_uncharged(
    rich: User, summary: CommitSummary, upstream: Upstream
) -> None:
    past = timezone.now() - timedelta(seconds=1)
    CreditHold.objects.update(placed_at=past - timedelta(minutes=15), expires_at=past)
    expire_stale_holds(now=timezone.now())
    deduct_credits(rich, Decimal(999), description="elsewhere", idempotency_key="elsewhere")
    run_summary(public_id=summary.public_id)

    failed = CommitSummary.objects.get(pk=summary.pk)
    assert (failed.state, failed.failure_code) == (SummaryState.FAILED, "insufficient_credits")
    assert (balance_of(rich).posted, balance_of(rich).held) == (1, 0)
    assert upstream.asked == []
