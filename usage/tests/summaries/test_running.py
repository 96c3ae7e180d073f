"""Summaries being done: real commits, real answers over HTTP, charged once or not at all."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from billing.models import BillingCustomer, CreditHold, LedgerEntry
from billing.services.customers import freeze_customer
from billing.services.holds import expire_stale_holds
from billing.services.verification import find_ledger_faults
from usage.models import Basis, CommitSummary, SummaryState, UsageEvent
from usage.services.summaries import request_summary
from usage.services.summary_prompt import prompt_messages
from usage.services.summary_runs import DELAYS, GRACE, LEASE, MAX_TRIES, run_due_summaries, run_summary
from usage.services.summary_sources import read_source
from usage.tests.factories import balance_of, make_price
from usage.tests.summaries.conftest import MODEL
from usage.tests.summaries.test_pasted_diffs import DIFF
from usage.tests.summaries.upstream import Upstream

# 200 tokens of input at 0.01, 100 cached ones at 0.001, 40 of output at 0.02
COST = Decimal("2.9")


def ask(customer: BillingCustomer, **named: str) -> CommitSummary:
    return request_summary(customer_id=customer.pk, source=read_source(**(named or {"diff": DIFF}))).summary


def again(summary: CommitSummary) -> CommitSummary:
    return CommitSummary.objects.select_related("usage_event__entry").get(pk=summary.pk)


def let_time_pass(summary: CommitSummary, by: timedelta) -> None:
    row = again(summary)
    row.created_at -= by
    row.claimed_at = row.claimed_at - by if row.claimed_at else None
    CommitSummary.objects.filter(pk=row.pk).update(created_at=row.created_at, claimed_at=row.claimed_at)


def test_a_real_commit_is_summarised_and_charged_by_what_was_used(
    user: User, customer: BillingCustomer, upstream: Upstream, repo: object, commit: str, settings: Settings
) -> None:
    summary = ask(customer, repository=settings.SUMMARY_REPOSITORIES[0], commit=commit)

    assert run_summary(public_id=summary.public_id)

    done = again(summary)
    assert (done.state, done.summary) == (SummaryState.DONE, upstream.text)
    assert (done.title, done.files_changed, done.lines_added, done.lines_removed) == ("Say three", 2, 2, 1)
    assert done.diff == ""
    event = done.usage_event
    assert event is not None
    assert event.entry is not None
    assert (event.event_id, event.basis) == (f"summary:{done.public_id}", Basis.REPORTED)
    assert (event.input_tokens, event.cached_tokens, event.output_tokens) == (300, 100, 40)
    assert event.credits == -event.entry.amount == COST
    assert event.estimated_credits == done.estimated_credits < 10
    assert (balance_of(user).posted, balance_of(user).held) == (1000 - COST, 0)
    assert not list(find_ledger_faults())


def test_the_model_is_asked_what_was_estimated(customer: BillingCustomer, upstream: Upstream) -> None:
    summary = ask(customer)

    run_summary(public_id=summary.public_id)

    (asked,) = upstream.asked
    assert asked["model"] == MODEL
    assert asked["messages"] == prompt_messages(title="Diff of x.py", diff=DIFF)
    assert asked["max_completion_tokens"] == 100


def test_a_summary_is_done_once_however_often_it_is_run(
    user: User, customer: BillingCustomer, upstream: Upstream
) -> None:
    summary = ask(customer)

    outcomes = [run_summary(public_id=summary.public_id) for _ in range(3)]

    assert outcomes == [True, False, False]
    assert len(upstream.asked) == LedgerEntry.objects.filter(kind="usage").count() == 1


def test_model_and_price_of_the_moment_it_was_asked_for_hold(
    customer: BillingCustomer, upstream: Upstream, settings: Settings
) -> None:
    summary = ask(customer)
    make_price(MODEL, since=timezone.now(), input_usd_per_1k=5, output_usd_per_1k=5)
    settings.SUMMARY_MODEL = "another-model"

    run_summary(public_id=summary.public_id)

    event = again(summary).usage_event
    assert event is not None
    assert event.credits == COST


def test_an_upstream_that_reports_nothing_is_counted(customer: BillingCustomer, upstream: Upstream) -> None:
    upstream.usage = None
    summary = ask(customer)

    run_summary(public_id=summary.public_id)

    event = again(summary).usage_event
    assert event is not None
    assert event.basis == Basis.DELIVERED
    assert event.output_tokens == -(-len(upstream.text) // 4)


def test_an_upstream_that_says_zero_is_believed(user: User, customer: BillingCustomer, upstream: Upstream) -> None:
    upstream.usage = {"prompt_tokens": 0, "completion_tokens": 0}
    summary = ask(customer)

    run_summary(public_id=summary.public_id)

    event = again(summary).usage_event
    assert event is not None
    assert (event.credits, event.entry) == (0, None)
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)


def test_a_failing_upstream_is_asked_again_after_a_while_and_charged_once(
    user: User, customer: BillingCustomer, upstream: Upstream
) -> None:
    upstream.statuses = [500, 503]
    summary = ask(customer)

    run_summary(public_id=summary.public_id)
    waiting = again(summary)
    too_early = run_summary(public_id=summary.public_id)
    for delay in DELAYS[:2]:
        let_time_pass(summary, delay)
        assert run_summary(public_id=summary.public_id)

    assert (waiting.state, waiting.failure_code) == (SummaryState.QUEUED, "upstream_failed")
    assert "language model" in waiting.failure
    assert not too_early
    done = again(summary)
    assert (done.state, done.failure, done.tries) == (SummaryState.DONE, "", 3)
    assert balance_of(user).posted == 1000 - COST


def test_an_upstream_that_never_answers_is_not_charged_and_the_reason_told(
    user: User, customer: BillingCustomer, upstream: Upstream
) -> None:
    upstream.statuses = [500] * MAX_TRIES
    summary = ask(customer)

    run_summary(public_id=summary.public_id)
    for delay in DELAYS:
        let_time_pass(summary, delay)
        run_summary(public_id=summary.public_id)

    failed = again(summary)
    assert (failed.state, failed.failure) == (SummaryState.FAILED, "The language model cannot be reached.")
    assert failed.diff == DIFF
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)
    event = UsageEvent.objects.get()
    assert (event.status, event.credits, event.basis) == ("failed", 0, Basis.NOTHING)


@pytest.mark.parametrize(("status", "code"), [(400, "upstream_refused"), (422, "upstream_refused")])
def test_a_refusal_of_the_model_ends_it_at_once(
    user: User, customer: BillingCustomer, upstream: Upstream, status: int, code: str
) -> None:
    upstream.statuses = [status]
    summary = ask(customer)

    run_summary(public_id=summary.public_id)

    assert (again(summary).state, again(summary).failure_code) == (SummaryState.FAILED, code)
    assert balance_of(user).held == 0


def test_an_empty_answer_is_no_summary_and_not_charged(
    user: User, customer: BillingCustomer, upstream: Upstream
) -> None:
    upstream.text = " \n"
    summary = ask(customer)

    run_summary(public_id=summary.public_id)

    assert again(summary).failure_code == "empty_answer"
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)


def test_a_commit_that_is_not_there_fails_before_the_model_is_asked(
    user: User, customer: BillingCustomer, upstream: Upstream, repo: object, settings: Settings
) -> None:
    summary = ask(customer, repository=settings.SUMMARY_REPOSITORIES[0], commit="0" * 40)

    run_summary(public_id=summary.public_id)

    failed = again(summary)
    assert (failed.state, failed.failure_code) == (SummaryState.FAILED, "commit_unknown")
    assert "no such commit" in failed.failure
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)
    assert upstream.asked == []
    assert not UsageEvent.objects.exists()


def test_a_repository_that_is_no_longer_allowed_is_not_read(
    customer: BillingCustomer, upstream: Upstream, repo: object, commit: str, settings: Settings
) -> None:
    summary = ask(customer, repository=settings.SUMMARY_REPOSITORIES[0], commit=commit)
    settings.SUMMARY_REPOSITORIES = []

    run_summary(public_id=summary.public_id)

    assert again(summary).failure_code == "repository_not_allowed"
    assert upstream.asked == []


def test_a_customer_frozen_meanwhile_gets_what_was_held_for(
    user: User, customer: BillingCustomer, upstream: Upstream
) -> None:
    summary = ask(customer)
    freeze_customer(customer_id=customer.pk, reason="a test")

    run_summary(public_id=summary.public_id)

    assert again(summary).state == SummaryState.DONE
    assert balance_of(user).posted == 1000 - COST


def test_a_hold_that_expired_while_the_summary_waited_is_placed_anew(
    user: User, customer: BillingCustomer, upstream: Upstream
) -> None:
    summary = ask(customer)
    past = timezone.now() - timedelta(minutes=1)
    CreditHold.objects.update(placed_at=past, expires_at=past)
    expire_stale_holds(now=timezone.now())
    run_summary(public_id=summary.public_id)

    assert again(summary).state == SummaryState.DONE
    assert sorted(CreditHold.objects.values_list("state", flat=True)) == ["expired", "settled"]
    assert (balance_of(user).posted, balance_of(user).held) == (1000 - COST, 0)


def test_what_is_unforeseen_is_tried_again_and_not_charged(
    user: User, customer: BillingCustomer, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = ask(customer)

    def fail(**_: object) -> None:
        raise RuntimeError("a test breaks this")

    with monkeypatch.context() as broken:
        broken.setattr("usage.services.summary_runs.finish_call", fail)
        run_summary(public_id=summary.public_id)

    assert (again(summary).state, again(summary).failure_code) == (SummaryState.QUEUED, "internal_error")
    assert "a test breaks" not in again(summary).failure
    let_time_pass(summary, DELAYS[0])
    run_summary(public_id=summary.public_id)
    assert balance_of(user).posted == 1000 - COST


def test_workers_that_always_die_do_not_try_for_ever(user: User, customer: BillingCustomer, upstream: Upstream) -> None:
    summary = ask(customer)
    CommitSummary.objects.update(state=SummaryState.SUMMARISING, tries=MAX_TRIES, claimed_at=timezone.now() - LEASE)

    run_summary(public_id=summary.public_id)

    assert (again(summary).state, again(summary).failure_code) == (SummaryState.FAILED, "gave_up")
    assert (balance_of(user).posted, balance_of(user).held) == (1000, 0)
    assert upstream.asked == []


def test_the_sweeper_wakes_workers_for_what_is_due(customer: BillingCustomer, woken: list[tuple[str, ...]]) -> None:
    summary = ask(customer)
    too_early = run_due_summaries()
    let_time_pass(summary, GRACE)

    assert (too_early, run_due_summaries()) == (0, 1)
    assert woken == [("usage.run_summary", summary.public_id)]
    assert again(summary).state == SummaryState.QUEUED


def test_the_sweeper_does_one_itself_where_nobody_can_be_woken(
    customer: BillingCustomer, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.wake.wake_task", lambda **_: False)
    for number in range(2):
        let_time_pass(ask(customer, diff=DIFF.replace("three", f"number {number}")), GRACE)

    assert run_due_summaries() == 1
    assert CommitSummary.objects.filter(state=SummaryState.DONE).count() == 1
    assert run_due_summaries() == 1
    assert CommitSummary.objects.filter(state=SummaryState.DONE).count() == 2
