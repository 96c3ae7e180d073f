"""`/api/v1/summaries`: a commit or a diff in, a summary out; the work is done by a worker and charged once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from billing.api.base import CallerView, read_body, read_query
from billing.api.callers import caller_key, customer_scope
from billing.api.idempotency import Answer, answer_once
from billing.api.lists import ListQuery, answer_list
from billing.api.parsing import StrictSerializer, TextField
from billing.api.shapes import entry_id, time_shape
from billing.errors import InvalidRequest
from billing.money import CREDIT_STEP
from usage.models import CommitSummary, SummaryState
from usage.selectors.summaries import credits_held, find_summary, page_of_summaries
from usage.services.summaries import request_summary
from usage.services.summary_sources import read_source

_ACCEPTED: Final = 202
_KNOWN: Final = 200


class SummaryBody(StrictSerializer):
    """Either a diff, or a repository and a commit."""

    diff = TextField(required=False, trim_whitespace=False, help_text="A unified diff, up to 200 kB.")
    repository = TextField(
        required=False, max_length=500, help_text="One of the repositories that are summarised here, as it is listed."
    )
    commit = TextField(required=False, max_length=64, help_text="All 40 hexadecimal digits of a commit.")


class Summaries(CallerView):
    """Ask for a summary, and list those asked for."""

    scopes = {"GET": Scope.READ, "POST": Scope.SPEND}

    def get(self, request: Request) -> Response:
        """The caller's summaries, newest first."""
        query = read_query(request, ListQuery)
        customer = self.acting_for()
        before = None
        if "starting_after" in query:
            named = find_summary(customer_id=customer.pk, public_id=query["starting_after"])
            if named is None:
                raise InvalidRequest(
                    field="starting_after", fault="there is no such summary", remedy="Send the id of one: sum_…."
                )
            before = named.pk
        page = page_of_summaries(customer_id=customer.pk, before_id=before, limit=query["limit"])
        held = credits_held(page.summaries)
        rows = [summary_shape(summary, held=held.get(summary.pk)) for summary in page.summaries]
        return answer_list(request, rows=rows, has_more=page.next_before_id is not None)

    def post(self, request: Request) -> Response:
        """202 with a summary to come; 200 with the one there is, where the same commit or diff was asked for before."""
        body = read_body(request, SummaryBody)
        customer = self.acting_for()

        def act() -> Answer:
            asked = request_summary(customer_id=customer.pk, source=read_source(**body), api_key=caller_key(request))
            summary = asked.summary
            shape = summary_shape(summary, held=credits_held([summary]).get(summary.pk))
            return Answer(_ACCEPTED if asked.is_new else _KNOWN, shape)

        return answer_once(request, scope=customer_scope(customer), act=act, is_required=False)


class Summary(CallerView):
    """One summary."""

    scopes = {"GET": Scope.READ}

    def get(self, request: Request, summary: str) -> Response:
        """Its state, and what it cost once it is done."""
        customer = self.acting_for()
        found = find_summary(customer_id=customer.pk, public_id=summary)
        if found is None:
            raise NotFound("There is no such summary.")
        return Response(summary_shape(found, held=credits_held([found]).get(found.pk)))


def summary_shape(summary: CommitSummary, *, held: Decimal | None) -> dict[str, Any]:
    """A summary. `credits` says what was estimated, held and charged; `failure` why it ended without a charge."""
    event = summary.usage_event
    has_failed = summary.state == SummaryState.FAILED
    return {
        "id": summary.public_id,
        "object": "summary",
        "state": summary.state,
        "repository": summary.repository or None,
        "commit": summary.commit or None,
        "title": summary.title,
        "files_changed": summary.files_changed,
        "lines_added": summary.lines_added,
        "lines_removed": summary.lines_removed,
        "model": summary.model,
        "summary": summary.summary or None,
        "failure": {"code": summary.failure_code, "detail": summary.failure} if has_failed else None,
        "credits": {
            "estimated": _text(summary.estimated_credits),
            "held": _text(held),
            "charged": _text(event.credits if event else Decimal(0) if has_failed else None),
        },
        "tokens": {"input": event.input_tokens, "cached": event.cached_tokens, "output": event.output_tokens}
        if event
        else None,
        "usage_event": event.public_id if event else None,
        "ledger_entry": entry_id(event.entry) if event and event.entry else None,
        "created_at": time_shape(summary.created_at),
        "ended_at": time_shape(summary.ended_at) if summary.ended_at else None,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount.quantize(CREDIT_STEP))
