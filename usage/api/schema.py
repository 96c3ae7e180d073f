"""The endpoints of usage in the schema. Importing this enters them."""

from __future__ import annotations

from typing import Any, Final

from billing.api.lists import CursorQuery, ListQuery
from billing.api.schema.examples import AT, CUSTOMER_ID
from billing.api.schema.operations import Operation, describe
from usage.api import schema_bodies as bodies
from usage.api import schema_shapes as shapes
from usage.api.quotes import Quotes
from usage.api.summaries import Summaries, Summary
from usage.api.usage_events import OneUsageEvent, UsageEventFilter, UsageEvents

_ENTRY_ID: Final = "led_1x3z5b7d9f1h3k5n7q9s_8"
_ID: Final = {"type": "string", "minLength": 1, "pattern": "^[-_0-9A-Za-z]+$", "description": "Its id."}
_EVENT: Final[dict[str, Any]] = {
    "id": "use_0v8k2m4q6s8w0y2a4c6e",
    "object": "usage_event",
    "customer": CUSTOMER_ID,
    "event_id": "job-17",
    "api_key": "k3m5p7r9t1v3x5z7",
    "model": "gpt-5-mini",
    "operation": None,
    "quantity": 1,
    "input_tokens": 1200,
    "cached_tokens": 200,
    "output_tokens": 340,
    "estimate": None,
    "held": None,
    "credits": "1.168750",
    "basis": "recorded",
    "status": "completed",
    "failure": None,
    "price": {"name": "gpt-5-mini", "effective_from": "2026-01-01T00:00:00.000000Z"},
    "hold": None,
    "entry": _ENTRY_ID,
    "latency_ms": None,
    "metadata": {"feature": "search"},
    "occurred_at": AT,
    "created_at": AT,
}
_SUMMARY: Final[dict[str, Any]] = {
    "id": "sum_0v8k2m4q6s8w0y2a4c6e",
    "object": "summary",
    "state": "queued",
    "repository": None,
    "commit": None,
    "title": "greeting.py",
    "files_changed": 1,
    "lines_added": 1,
    "lines_removed": 1,
    "model": "gpt-5-mini",
    "summary": None,
    "failure": None,
    "credits": {"estimated": "1.443750", "held": None, "charged": None},
    "tokens": None,
    "usage_event": None,
    "ledger_entry": None,
    "created_at": AT,
    "ended_at": None,
}

describe(
    Quotes,
    post=Operation(
        name="create_quote",
        tag="Usage",
        summary="What work would cost",
        description="For a call of a model (its messages, or the number of its input tokens), or for an operation of a "
        "fixed price. Nothing is held and nothing is stored.",
        answers={200: shapes.Quote},
        example={
            "object": "quote",
            "customer": CUSTOMER_ID,
            "model": "gpt-5-mini",
            "operation": None,
            "quantity": 1,
            "input_tokens": 1200,
            "expected_output_tokens": 500,
            "worst_output_tokens": 500,
            "estimate": "1.625000",
            "worst_case": "1.625000",
            "held": "1.625000",
            "spendable": "1000.000000",
            "covered": True,
            "price": {
                "name": "gpt-5-mini",
                "effective_from": "2026-01-01T00:00:00.000000Z",
                "credits_per_1k_input_tokens": "0.312500",
                "credits_per_1k_cached_input_tokens": "0.031250",
                "credits_per_1k_output_tokens": "2.500000",
                "credits_per_request": "0.000000",
            },
        },
        body_schema=bodies.QUOTE,
        body_example={"model": "gpt-5-mini", "input_tokens": 1200, "max_tokens": 500},
    ),
)
describe(
    UsageEvents,
    get=Operation(
        name="list_usage_events",
        tag="Usage",
        summary="What was metered",
        description="Usage events, newest first: each with what was estimated, held and charged, and on what basis.",
        answers={200: shapes.UsageEventList},
        example={"object": "list", "url": "/api/v1/usage-events", "has_more": False, "data": [_EVENT]},
        query=CursorQuery,
        filters=UsageEventFilter,
    ),
    post=Operation(
        name="create_usage_events",
        tag="Usage",
        summary="Tell of work done elsewhere",
        description="1 to 1,000 events, each priced at the time it happened and answered on its own: posted, "
        "duplicate (known by its `id`, for ever), or refused and why. Events are taken for 30 days. With "
        "`record_only` (a key with the scope `customers`) the work is done already, so the balance may go below zero.",
        answers={200: shapes.UsageEventBatch},
        example={
            "object": "usage_event_batch",
            "customer": CUSTOMER_ID,
            "posted": 1,
            "duplicates": 0,
            "refused": 1,
            "credits": "1.168750",
            "events": [
                {
                    "id": "job-17",
                    "status": "posted",
                    "usage_event": "use_0v8k2m4q6s8w0y2a4c6e",
                    "credits": "1.168750",
                    "entry": _ENTRY_ID,
                },
                {
                    "id": "job-18",
                    "status": "refused",
                    "code": "unknown_model",
                    "field": None,
                    "detail": "There is no model 'gpt-55' here. There are: gpt-5, gpt-5-mini.",
                },
            ],
        },
        body_schema=bodies.EVENTS,
        body_example={
            "events": [
                {
                    "id": "job-17",
                    "model": "gpt-5-mini",
                    "input_tokens": 1200,
                    "cached_tokens": 200,
                    "output_tokens": 340,
                    "metadata": {"feature": "search"},
                },
                {"id": "job-18", "model": "gpt-55", "input_tokens": 10, "output_tokens": 5},
            ]
        },
        takes_key=True,
    ),
)
describe(
    OneUsageEvent,
    get=Operation(
        name="read_usage_event",
        tag="Usage",
        summary="One usage event",
        description="Events of other customers do not exist here.",
        answers={200: shapes.UsageEvent},
        example=_EVENT,
        path={"event": _ID},
    ),
)
describe(
    Summaries,
    get=Operation(
        name="list_summaries",
        tag="Summaries",
        summary="Summaries that were asked for",
        description="Newest first. For the next page send the last row's `id` as `starting_after`.",
        answers={200: shapes.SummaryList},
        example={"object": "list", "url": "/api/v1/summaries", "has_more": False, "data": [_SUMMARY]},
        query=ListQuery,
    ),
    post=Operation(
        name="create_summary",
        tag="Summaries",
        summary="Ask for a summary",
        description="Of a diff, or of a commit in one of the repositories that are summarised here. 202 with a summary "
        "to come; 200 with the one there is, where the same was asked for before: it is charged once.",
        answers={202: shapes.Summary, 200: shapes.Summary},
        example=_SUMMARY,
        body_schema=bodies.SUMMARY,
        body_example={
            "diff": "--- a/greeting.py\n+++ b/greeting.py\n@@ -1 +1 @@\n-print('Hi')\n+print('Good morning')\n"
        },
        problems=(402,),
        takes_key=True,
    ),
)
describe(
    Summary,
    get=Operation(
        name="read_summary",
        tag="Summaries",
        summary="One summary",
        description="Its state, and what it cost once it is done. A failed one is not charged.",
        answers={200: shapes.Summary},
        example={
            **_SUMMARY,
            "state": "done",
            "summary": "The greeting is said in full.",
            "credits": {"estimated": "1.443750", "held": "1.443750", "charged": "0.187500"},
            "tokens": {"input": 210, "cached": 0, "output": 49},
            "usage_event": "use_0v8k2m4q6s8w0y2a4c6e",
            "ledger_entry": _ENTRY_ID,
            "ended_at": AT,
        },
        path={"summary": _ID},
    ),
)
