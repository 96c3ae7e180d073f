"""Summaries as their owner sees them: what was asked for, what is held for it, what it cost. Reads never lock."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from billing.kinds import HoldState
from billing.models import CreditHold
from usage.models import CommitSummary, SummaryState


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """Summaries, newest first; `next_before_id` names where the next page goes on, None on the last."""

    summaries: list[CommitSummary]
    next_before_id: int | None


def call_name(summary: CommitSummary) -> str:
    """The name under which the summary is charged, once."""
    return f"summary:{summary.public_id}"


def find_summary(*, customer_id: int, public_id: str) -> CommitSummary | None:
    """The customer's summary of that name; one of somebody else is as unknown as one that never was."""
    return _with_cost().filter(customer_id=customer_id, public_id=public_id).first()


def page_of_summaries(*, customer_id: int, before_id: int | None = None, limit: int) -> SummaryPage:
    """One page of a customer's summaries."""
    rows = _with_cost().filter(customer_id=customer_id)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    found = list(rows.order_by("-pk")[: limit + 1])
    page = found[:limit]
    return SummaryPage(page, page[-1].pk if len(found) > limit else None)


def is_running(summary: CommitSummary) -> bool:
    """Whether it will still change."""
    return summary.state not in (SummaryState.DONE, SummaryState.FAILED)


def credits_held(summaries: Iterable[CommitSummary]) -> dict[int, Decimal]:
    """What is or was held for summaries, by their primary keys; a failed one holds nothing any more."""
    rows = list(summaries)
    held = {row.pk: row.usage_event.held_credits for row in rows if row.usage_event and row.usage_event.held_credits}
    running = {call_name(row): row for row in rows if is_running(row)}
    if running:
        holds = open_holds(customer_ids={row.customer_id for row in running.values()})
        for hold in holds:
            summary = running.get(hold.idempotency_key.split(":", 2)[2])
            if summary is not None and summary.customer_id == hold.customer_id:
                held[summary.pk] = hold.amount
    return held


def find_open_hold(summary: CommitSummary) -> CreditHold | None:
    """The credits that are set aside for the summary now."""
    name = call_name(summary)
    holds = open_holds(customer_ids={summary.customer_id})
    return next((hold for hold in holds if hold.idempotency_key.split(":", 2)[2] == name), None)


def open_holds(*, customer_ids: set[int]) -> list[CreditHold]:
    """What is set aside for summaries (`usage:<attempt>:summary:…`): no caller of the API can name a hold so."""
    holds = CreditHold.objects.filter(customer_id__in=customer_ids, state=HoldState.OPEN)
    return list(holds.filter(idempotency_key__regex=r"^usage:[0-9]+:summary:"))


def _with_cost() -> QuerySet[CommitSummary]:
    return CommitSummary.objects.select_related("usage_event__entry__customer", "api_key")
