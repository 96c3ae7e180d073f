"""What a summary would cost, before it is asked for."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from usage import conf
from usage.diffs.commits import read_commit
from usage.diffs.diff import Diff
from usage.diffs.repositories import find_repository
from usage.services.estimating import Estimate
from usage.services.summary_prompt import estimate_summary
from usage.services.summary_sources import SummarySource

PREVIEW_SECONDS = 10.0  # somebody is waiting for the page


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPreview:
    """The diff that would be summarised, the estimate for it, and what is held until the work is done."""

    source: SummarySource
    diff: Diff
    estimate: Estimate
    held: Decimal


def preview_summary(*, customer_id: int, source: SummarySource) -> SummaryPreview:
    """Read the diff and estimate its summary; nothing is queued, held or kept.

    For a commit more is held than is estimated, because the worker that reads it has not done so when credits are held.

    Raises:
        DiffRefused: it cannot be read.
        UnknownModel: the model of `SUMMARY_MODEL` has no price.
    """
    now = timezone.now()
    diff = source.diff
    if diff is None:
        repository = find_repository(name=source.repository, allowed=conf.summary_repositories())
        diff = read_commit(repository=repository, commit=source.commit, seconds=PREVIEW_SECONDS)
    estimate = estimate_summary(customer_id=customer_id, title=diff.title, diff=diff.text, at=now)
    unread = estimate_summary(
        customer_id=customer_id, title=source.title, diff=source.diff.text if source.diff else None, at=now
    )
    return SummaryPreview(source=source, diff=diff, estimate=estimate, held=unread.credits)
