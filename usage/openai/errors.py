"""Refusals as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}`, and what we know beyond.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from typing import Any, Final

from rest_framework.response import Response

from billing.api.problems import answer_exception
from billing.errors import HoldEnded, IdempotencyConflict, RequestInFlight
from usage.llm.failures import UpstreamDown, UpstreamFailure, UpstreamRefused, UpstreamTimeout

_TYPES: Final = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
_MEMBERS: Final = {"type", "title", "status", "code", "detail", "field", "errors"}
# Ours that OpenAI's clients know by another name, or that are another status where a model is asked for by its name.
_RENAMED: Final = {"unknown_model": (404, "model_not_found"), "unknown_operation": (404, "operation_not_found")}
_DONE_BEFORE: Final = (HoldEnded, RequestInFlight, IdempotencyConflict)
_DOWN: Final = "The provider of this model cannot be used right now. Nothing was charged; try again in a moment."
_LATE: Final = "The provider of this model did not answer in time. Nothing was charged; try again in a moment."
BROKEN_OFF: Final = "The provider broke off. Only what you received is charged."


def answer_openai(raised: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever an address below /v1/ raised."""
    if isinstance(raised, UpstreamFailure):
        return _answer_upstream(raised)
    problem = answer_exception(raised, context)
    members: dict[str, Any] = problem.data
    status, code = _RENAMED.get(members["code"], (members["status"], members["code"]))
    more = {name: value for name, value in members.items() if name not in _MEMBERS}
    body = error_body(status=status, code=code, message=members["detail"], param=members.get("field"), **more)
    if code == "model_not_found":
        body["error"]["param"] = "model"
    response = Response(body, status=status, content_type="application/json")
    for name, value in problem.items():
        if name.lower() != "content-type":
            response[name] = value
    if isinstance(raised, _DONE_BEFORE):
        response["X-Should-Retry"] = "false"  # the official clients would repeat a 409 by themselves
    return response


def error_body(*, status: int, code: str, message: str, param: str | None = None, **more: Any) -> dict[str, Any]:
    """An error as OpenAI's API writes it."""
    kind = "api_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}


def _answer_upstream(failure: UpstreamFailure) -> Response:
    if isinstance(failure, UpstreamRefused):
        body = failure.body
        if not isinstance(body, dict):
            message = f"The provider refused the request ({failure.status}). Nothing was charged."
            body = error_body(status=failure.status, code="provider_refused", message=message)
        headers = {"Retry-After": failure.retry_after} if failure.retry_after.isdigit() else None
        return Response(body, status=failure.status, headers=headers)
    if isinstance(failure, UpstreamTimeout):
        return Response(error_body(status=504, code="upstream_timeout", message=_LATE), status=504)
    if isinstance(failure, UpstreamDown):
        return Response(error_body(status=502, code="upstream_unavailable", message=_DOWN), status=502)
    raise TypeError(f"{type(failure).__name__} has no answer.")
