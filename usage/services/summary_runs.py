"""Do a summary that was asked for: claim it, read the commit, ask the model, charge and deliver in one transaction.

A claim is a number (`tries`) in the summary's row: whoever finishes must still hold the newest one. A worker that was
killed leaves its claim, which another takes over after `LEASE`; the credits are held under the same name all the while.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from billing.errors import BillingError
from billing.services.holds import release_hold
from usage import conf
from usage.diffs.commits import read_commit
from usage.diffs.refusals import DiffRefused
from usage.diffs.repositories import find_repository
from usage.models import CommitSummary, SummaryState
from usage.selectors.summaries import call_name, find_open_hold
from usage.services.call_events import OpenCall
from usage.services.calls import abandon_call, finish_call, open_estimated_call
from usage.services.estimating import Estimate
from usage.services.summaries import wake_worker
from usage.services.summary_answers import Summarised, SummaryFailed, ask_for_summary
from usage.services.summary_prompt import estimate_summary

LEASE: Final = timedelta(seconds=300)  # longer than the task may run (usage/tasks.py), and than the sweeper takes
GRACE: Final = timedelta(seconds=5)  # so long the sweeper leaves a new one to the worker that was woken for it
DELAYS: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=120))  # after each try but the last
MAX_TRIES: Final = len(DELAYS) + 1
_WORKING: Final = (SummaryState.FETCHING, SummaryState.SUMMARISING)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a try ended without a summary, in words for its owner; `is_passing` where another try may do better."""

    code: str
    words: str
    is_passing: bool = False


class _TakenOver(Exception):
    """Another worker has a newer claim: what this one has done is nobody's, and nothing of it is charged."""


def run_summary(*, public_id: str) -> bool:
    """Do one summary if it is due; whether there was anything to do. Anybody may call it, at any time, at once."""
    summary = _claim(public_id=public_id, now=timezone.now())
    if summary is None:
        return False
    try:
        _do(summary)
    except _TakenOver:
        log.info("summary_taken_over", summary=public_id)
    return True


def run_due_summaries(*, limit: int = 20) -> int:
    """Wake a worker for each summary that is due; where no message gets through, do one here. Gives how many."""
    names = list(_due(now=timezone.now()).order_by("created_at").values_list("public_id", flat=True)[:limit])
    for public_id in names:
        if not wake_worker(public_id=public_id):
            return int(run_summary(public_id=public_id))  # one in a round: the sweeper has other things to do
    return len(names)


def _due(*, now: datetime) -> QuerySet[CommitSummary]:
    """What was asked for and not taken, what waits for another try, and what a worker took and never brought back."""
    is_due = Q(state=SummaryState.QUEUED, tries=0, created_at__lte=now - GRACE)
    for tries, delay in enumerate(DELAYS, start=1):
        is_due |= Q(state=SummaryState.QUEUED, tries=tries, claimed_at__lte=now - delay)
    return CommitSummary.objects.filter(is_due | Q(state__in=_WORKING, claimed_at__lte=now - LEASE))


def _claim(*, public_id: str, now: datetime) -> CommitSummary | None:
    """The summary with a claim of ours; None where it is not due, or somebody is claiming it right now."""
    with transaction.atomic():
        rows = CommitSummary.objects.select_for_update(skip_locked=True)
        summary = rows.filter(public_id=public_id).first()
        if summary is None:
            return None
        is_new = summary.state == SummaryState.QUEUED and summary.tries == 0
        if not is_new and not _due(now=now).filter(pk=summary.pk).exists():
            return None
        if summary.tries >= MAX_TRIES:
            _give_up(summary, Fault(code="gave_up", words=f"It was tried {MAX_TRIES} times and never came to an end."))
            return None
        summary.tries += 1
        summary.claimed_at = now
        summary.state = SummaryState.SUMMARISING if summary.diff else SummaryState.FETCHING
        summary.save(update_fields=["tries", "claimed_at", "state"])
    return summary


def _do(summary: CommitSummary) -> None:
    try:
        if not summary.diff:
            _read_diff(summary)
        _summarise(summary)
    except DiffRefused as refusal:
        _end_try(summary, Fault(code=refusal.reason, words=str(refusal), is_passing=refusal.is_passing))
    except BillingError as refusal:
        _end_try(summary, Fault(code=refusal.code, words=str(refusal)))
    except _TakenOver:
        raise
    except Exception as error:  # whatever it is, nothing was charged, and the next try may do better
        log.exception("summary_try_failed", summary=summary.public_id, error=type(error).__name__)
        _end_try(summary, Fault(code="internal_error", words="Something went wrong on our side.", is_passing=True))


def _read_diff(summary: CommitSummary) -> None:
    """Fetch the commit; from here on the estimate is of what will be sent."""
    repository = find_repository(name=summary.repository, allowed=conf.summary_repositories())
    diff = read_commit(repository=repository, commit=summary.commit)
    estimate = _estimate(summary, title=diff.title, diff=diff.text)
    with transaction.atomic():
        row = _lock(summary)
        row.title, row.diff = diff.title, diff.text
        row.files_changed, row.lines_added, row.lines_removed = diff.files, diff.added, diff.removed
        row.estimated_credits, row.state = estimate.credits, SummaryState.SUMMARISING
        row.save()
    summary.title, summary.diff = diff.title, diff.text


def _summarise(summary: CommitSummary) -> None:
    """Ask the model within what is held."""
    estimate = _estimate(summary, title=summary.title, diff=summary.diff)
    call = open_estimated_call(
        customer_id=summary.customer_id,
        estimate=estimate,
        event_id=call_name(summary),
        api_key=summary.api_key,
        metadata={"summary": summary.public_id},
    )
    try:
        answer = ask_for_summary(
            model=estimate.model,
            price=estimate.price,
            title=summary.title,
            diff=summary.diff,
            max_tokens=estimate.worst_output_tokens,
        )
    except SummaryFailed as failure:
        _end_try(summary, Fault(code=failure.code, words=str(failure), is_passing=failure.is_passing), call=call)
        return
    _deliver(summary, call, answer)


def _estimate(summary: CommitSummary, *, title: str, diff: str) -> Estimate:
    """With the model, and the price, of the moment the summary was asked for."""
    return estimate_summary(
        customer_id=summary.customer_id, title=title, diff=diff, at=summary.created_at, model=summary.model
    )


def _deliver(summary: CommitSummary, call: OpenCall, answer: Summarised) -> None:
    """Charged and delivered, or neither."""
    with transaction.atomic():
        row = _lock(summary)
        row.usage_event = finish_call(call=call, tokens=answer.tokens, basis=answer.basis)
        row.summary, row.diff = answer.text, ""
        row.failure_code = row.failure = ""
        row.state, row.ended_at = SummaryState.DONE, timezone.now()
        row.save()
    log.info("summary_done", summary=summary.public_id, tries=summary.tries)


def _end_try(summary: CommitSummary, fault: Fault, *, call: OpenCall | None = None) -> None:
    """Leave it for another try, or give it up; either way nothing is charged."""
    with transaction.atomic():
        row = _lock(summary)
        if fault.is_passing and row.tries < MAX_TRIES:
            row.state = SummaryState.QUEUED
            row.failure_code, row.failure = fault.code, fault.words[:500]
            row.save(update_fields=["state", "failure_code", "failure"])
        else:
            _give_up(row, fault, call=call)
    log.info("summary_try_ended", summary=summary.public_id, code=fault.code, tries=summary.tries)


def _give_up(row: CommitSummary, fault: Fault, *, call: OpenCall | None = None) -> None:
    """End a locked summary without a charge; a call that was made and failed is written down as such."""
    row.state, row.ended_at = SummaryState.FAILED, timezone.now()
    row.failure_code, row.failure = fault.code, fault.words[:500]
    row.save(update_fields=["state", "ended_at", "failure_code", "failure"])
    if call is not None:
        abandon_call(call=call, failure=fault.words)
    elif (hold := find_open_hold(row)) is not None:
        release_hold(hold=hold.public_id)


def _lock(summary: CommitSummary) -> CommitSummary:
    """The summary's row, locked, while our claim is the newest."""
    row = CommitSummary.objects.select_for_update().get(pk=summary.pk)
    if row.tries != summary.tries or row.state not in _WORKING:
        raise _TakenOver
    return row
