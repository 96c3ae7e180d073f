"""Ask for a summary: judged, held for and written down at once; a worker does the work.

The table is the truth: waking a worker may fail, the sweeper finds what is due.
"""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import ApiKey
from billing import wake
from usage.models import CommitSummary, SummaryState
from usage.selectors.summaries import call_name
from usage.services.calls import open_estimated_call
from usage.services.summary_prompt import estimate_summary
from usage.services.summary_sources import SummarySource

RUN_SUMMARY = "usage.run_summary"
_LOOKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedSummary:
    """The summary of a wish, and whether this wish began it."""

    summary: CommitSummary
    is_new: bool


def request_summary(*, customer_id: int, source: SummarySource, api_key: ApiKey | None = None) -> RequestedSummary:
    """Queue a summary with credits held for it. The same commit or diff again gives the first one, unless it failed.

    Raises:
        InsufficientCredits, KeyLimitReached, CustomerFrozen, UnknownModel: nothing is queued, nothing runs.
    """
    for _ in range(_LOOKS):
        with transaction.atomic():
            known = _find(customer_id=customer_id, source=source)
            if known is not None:
                return RequestedSummary(summary=known, is_new=False)
            try:
                with transaction.atomic():
                    summary = _queue(customer_id=customer_id, source=source, api_key=api_key)
            except IntegrityError:  # somebody else was first: their row is there now, if it was not refused
                continue
        return RequestedSummary(summary=summary, is_new=True)
    raise RuntimeError(f"The summary {source.fingerprint} of customer {customer_id} comes and goes.")


def wake_worker(*, public_id: str) -> bool:
    """Ask a worker to do the summary; whether the broker took the message."""
    return wake.wake_task(name=RUN_SUMMARY, arguments=(public_id,))


def _find(*, customer_id: int, source: SummarySource) -> CommitSummary | None:
    rows = CommitSummary.objects.filter(customer_id=customer_id, fingerprint=source.fingerprint)
    return rows.exclude(state=SummaryState.FAILED).first()


def _queue(*, customer_id: int, source: SummarySource, api_key: ApiKey | None) -> CommitSummary:
    """The row first: whoever wants the same one waits for it, instead of holding credits twice."""
    diff = source.diff
    now = timezone.now()
    estimate = estimate_summary(customer_id=customer_id, title=source.title, diff=diff.text if diff else None, at=now)
    summary = CommitSummary.objects.create(
        customer_id=customer_id,
        api_key=api_key,
        fingerprint=source.fingerprint,
        repository=source.repository,
        commit=source.commit,
        title=source.title,
        diff=diff.text if diff else "",
        files_changed=diff.files if diff else 0,
        lines_added=diff.added if diff else 0,
        lines_removed=diff.removed if diff else 0,
        model=estimate.model,
        estimated_credits=estimate.credits,
    )
    open_estimated_call(
        customer_id=customer_id,
        estimate=estimate,
        event_id=call_name(summary),
        api_key=api_key,
        metadata={"summary": summary.public_id},
    )
    transaction.on_commit(lambda: wake_worker(public_id=summary.public_id))
    return summary
