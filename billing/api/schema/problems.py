"""Refusals in the schema: each status is one shared answer, whose codes come from the table that the API answers by."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from rest_framework import exceptions

from billing.api.authentication import CsrfFailed
from billing.api.parsing import BodyTooLarge
from billing.api.permissions import SecondFactorRequired
from billing.api.problems import MEDIA_TYPE
from billing.views.refusals import STATUSES

Schema = dict[str, Any]

FRAMEWORK_CODES: Final[dict[str, int]] = {
    **{
        str(each.default_code): each.status_code
        for each in (
            exceptions.NotAuthenticated,
            exceptions.PermissionDenied,
            exceptions.NotFound,
            exceptions.MethodNotAllowed,
            exceptions.UnsupportedMediaType,
            exceptions.ParseError,
            CsrfFailed,
            SecondFactorRequired,
            BodyTooLarge,
        )
    },
    "bad_request": 400,
    "invalid_api_key": 401,
    "api_key_revoked": 401,
    "api_key_expired": 401,
    "internal_error": 500,
    "database_unavailable": 503,
}
NOT_OF_THE_API: Final = frozenset(
    (
        "webhook_refused",
        "second_person_needed",
        "approval_ended",
        "refund_not_possible",
        "payment_declined",
        "payment_needs_authentication",
    )
)

_MEANINGS: Final[dict[int, tuple[str, str]]] = {
    400: ("BadRequest", "Something in the request cannot be used; `field` names it, `errors` lists all."),
    401: ("Unauthorized", "Nobody is calling: no key or session, or a key that is unknown, revoked or expired."),
    402: (
        "PaymentRequired",
        "The balance or the key's monthly limit is used up. Buying credits helps, waiting does not.",
    ),
    403: ("Forbidden", "The caller may not do this, or the customer is frozen."),
    404: ("NotFound", "It does not exist, or not for this caller."),
    405: ("MethodNotAllowed", "The address does not take this method; `Allow` lists which."),
    409: ("Conflict", "Something else happened first, or is happening right now."),
    410: ("Gone", "What was asked for is not for sale any more."),
    413: ("ContentTooLarge", "A body has at most one mebibyte."),
    415: ("UnsupportedMediaType", "A body is `application/json`."),
    422: ("Unprocessable", "The idempotency key belongs to another request."),
    429: ("TooManyRequests", "Too many requests in a minute; `Retry-After` says when the next one may come."),
    500: ("InternalError", "Our fault. Ask again with the same idempotency key."),
    502: ("BadGateway", "Stripe would not do it. Asking again will not help."),
    503: ("Unavailable", "What we need is out of reach right now. Ask again with the same idempotency key."),
}
_HEADERS: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def codes_of(status: int) -> list[str]:
    """The codes that a refusal with this status may carry."""
    known = {code: each for code, each in STATUSES.items() if code not in NOT_OF_THE_API}
    return sorted(code for code, each in {**known, **FRAMEWORK_CODES}.items() if each == status)


def problem_reference(status: int) -> Schema:
    """The shared answer of a status, as operations name it."""
    return {"$ref": f"#/components/responses/{_MEANINGS[status][0]}"}


def problem_schemas() -> dict[str, Schema]:
    """The document that every refusal is: RFC 9457, with a stable `code`."""
    credits = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{6}$"}
    fault = {
        "type": "object",
        "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
        "required": ["field", "detail"],
        "additionalProperties": False,
    }
    problem = {
        "type": "object",
        "description": "A refusal, RFC 9457. Programs look at `code`, people read `detail`; more members may follow.",
        "properties": {
            "type": {"type": "string", "const": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable. What happened."},
            "detail": {"type": "string", "description": "The same for people, with what helps."},
            "field": {"type": "string", "description": "Which field, parameter or header is at fault."},
            "errors": {"type": "array", "items": fault, "description": "Every fault that was found."},
            "available": {**credits, "description": "Credits that could be spent."},
            "required": {**credits, "description": "Credits that were asked for."},
            "debt": {**credits, "description": "Credits that are owed, which the next purchase repays first."},
            "limit": {**credits, "description": "Credits that the API key may spend in a month."},
            "top_up_url": {"type": "string", "format": "uri", "description": "Where people buy credits."},
            "scope": {"type": "string", "description": "The scope that the API key lacks."},
            "permission": {"type": "string", "description": "The right that the person lacks."},
            "known": {"type": "array", "items": {"type": "string"}, "description": "The names that exist."},
            "retry_after_seconds": {"type": "integer"},
        },
        "required": ["type", "title", "status", "code", "detail"],
    }
    return {"Problem": problem}


def problem_responses() -> dict[str, Schema]:
    """Each status as a shared answer with its codes and an example."""
    return {name: _response(status, meaning) for status, (name, meaning) in _MEANINGS.items()}


def _response(status: int, meaning: str) -> Schema:
    codes = codes_of(status)
    own = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS.get(status, ())}
    return {
        "description": meaning,
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, own]},
                "examples": {"refusal": {"value": _example(status)}},
            }
        },
    }


def _example(status: int) -> Schema:
    code, detail, more = _EXAMPLES.get(status, (codes_of(status)[0], HTTPStatus(status).phrase, {}))
    title = code.replace("_", " ").capitalize()
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail, **more}


_EXAMPLES: Final[dict[int, tuple[str, str, Schema]]] = {
    400: (
        "invalid_request",
        "ammount: There is no such field.",
        {"field": "ammount", "errors": [{"field": "ammount", "detail": "There is no such field."}]},
    ),
    401: ("not_authenticated", "Authentication credentials were not provided.", {}),
    402: (
        "insufficient_credits",
        "40.000000 credits are needed, 12.500000 are available.",
        {
            "available": "12.500000",
            "required": "40.000000",
            "top_up_url": "https://prepaid.example.com/billing/buy/",
        },
    ),
    403: ("scope_missing", "This needs an API key with the scope spend.", {"scope": "spend"}),
    404: ("hold_not_found", "There is no hold hold_0v8k2m4q6s8w0y2a4c6e.", {"hold": "hold_0v8k2m4q6s8w0y2a4c6e"}),
    409: (
        "request_in_flight",
        "A request with the idempotency key 'job-17' is being worked on. Ask again in a second.",
        {"key": "job-17"},
    ),
    422: (
        "idempotency_conflict",
        "The idempotency key 'job-17' belongs to another request. Use a new key for a new intent.",
        {"key": "job-17"},
    ),
    429: ("rate_limited", "Too many requests. Try again in 20 seconds.", {"retry_after_seconds": 20}),
    503: ("database_unavailable", "The books are out of reach. Ask again with the same key.", {}),
    500: ("internal_error", "Something went wrong on our side. Ask again with the same key.", {}),
}
