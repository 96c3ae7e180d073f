"""The levers as JSON, for tests in other processes: ``POST /sandbox/api/<name>`` with the arguments as an object."""

import json
from dataclasses import asdict, is_dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.stripe.control import Control
from sandbox.stripe.errors import ApiError
from sandbox.stripe.handler import sandbox_of

LEVERS = (
    "add_endpoint",
    "add_fault",
    "advance_clock",
    "authenticate_intent",
    "authenticate_session",
    "change_card",
    "cancel_subscription",
    "change_subscription",
    "clear_faults",
    "close_dispute",
    "delay_event",
    "delete_customer",
    "detach_card",
    "drop_event",
    "end_refund",
    "escalate_inquiry",
    "expire_session",
    "fail_next_payments",
    "fail_reads",
    "fill_payments",
    "finalize_draft",
    "get_object",
    "issue_credit_note",
    "keep_plan",
    "list_breaches",
    "list_events",
    "list_objects",
    "open_dispute",
    "pause_collection",
    "pay_open_invoice",
    "pay_session",
    "read_clock",
    "read_deliveries",
    "refund_payment",
    "reinstate_funds",
    "release_deliveries",
    "resend_event",
    "reset",
    "resume_subscription",
    "set_customer_balance",
    "set_customer_card",
    "set_deliveries",
    "set_dunning",
    "set_refunds",
    "settle_delayed",
    "save_card",
    "sign_event",
    "subscribe",
    "void_credit_note",
    "void_invoice",
    "warn_of_fraud",
    "withdraw_funds",
    "write_off_invoice",
)


def api_index_view(request: HttpRequest) -> HttpResponse:
    """The names of the levers, each with what it does."""
    described = {name: (getattr(Control, name).__doc__ or "").strip().split("\n")[0] for name in LEVERS}
    return JsonResponse(described)


def lever_view(request: HttpRequest, name: str) -> HttpResponse:
    """Pull one lever and answer with what it gave.

    Only JSON is taken: a page of another site cannot send that to us without asking first, and we never allow it.
    """
    if name not in LEVERS:
        return JsonResponse({"error": f"There is no {name}."}, status=404)
    if request.method != "POST" or request.content_type != "application/json":
        return JsonResponse({"error": "POST a JSON object."}, status=415)
    try:
        arguments = json.loads(request.body or b"{}")
        positional = arguments.pop("args", [])
        given = getattr(Control(sandbox_of(request)), name)(*positional, **arguments)
    except (ApiError, ValueError, TypeError, AttributeError) as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"result": _plain(given)})


def _plain(given: Any) -> Any:
    if is_dataclass(given) and not isinstance(given, type):
        given = asdict(given)
    if isinstance(given, dict):
        return {name: _plain(value) for name, value in given.items()}
    return given.decode() if isinstance(given, bytes) else given
