"""Refusals as RFC 9457 documents (`application/problem+json`), each with a stable `code`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.models import ApiKey
from billing.errors import BillingError, InsufficientCredits, KeyLimitReached
from billing.models import BillingCustomer
from billing.selectors.balances import read_balance
from billing.services.key_limits import placed_by_key
from billing.services.key_notices import announce_key_limit
from billing.views.refusals import add_debt, log_stripe_failure, problem

MEDIA_TYPE: Final = "application/problem+json"
log = structlog.get_logger(__name__)


def answer_exception(raised: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever an endpoint raised; what nobody foresaw is logged and told as 500 without details."""
    if isinstance(raised, BillingError):
        return _answer_refusal(raised, context)
    if isinstance(raised, Http404):
        raised = exceptions.NotFound()
    elif isinstance(raised, PermissionDenied):
        raised = exceptions.PermissionDenied()
    if isinstance(raised, exceptions.ValidationError):
        return _answer(_faults_of_fields(raised.detail))
    if isinstance(raised, exceptions.APIException):
        return _answer(_members(raised.status_code, str(raised.get_codes()), str(raised.detail)), _headers(raised))
    if isinstance(raised, OperationalError):
        return _answer_without_database(raised)
    log.exception("api_failed", error=type(raised).__name__)
    got_request_exception.send(sender=answer_exception, request=context["request"]._request)
    return _answer(_members(500, "internal_error", "Something went wrong on our side. Ask again with the same key."))


def _answer_without_database(error: OperationalError) -> Response:
    """503: PostgreSQL is away, or a lock was not to be had in time. Nothing was done, or the same key will tell."""
    log.error("api_without_database", error=f"{type(error.__cause__ or error).__name__}: {error}")
    members = _members(503, "database_unavailable", "The books are out of reach. Ask again with the same key.")
    return _answer(members, headers={"Retry-After": "1"})


def _answer_refusal(refusal: BillingError, context: dict[str, Any]) -> Response:
    """What was refused; where credits are lacking because of a debt, why there is one."""
    log_stripe_failure(refusal)
    members = problem(refusal)
    customer: BillingCustomer | None = getattr(context["view"], "customer", None)
    if isinstance(refusal, InsufficientCredits) and customer is not None:
        members = add_debt(members, read_balance(customer_id=customer.pk, now=timezone.now()))
    if isinstance(refusal, KeyLimitReached) and isinstance(key := context["request"].auth, ApiKey):
        announce_key_limit(placed_by=placed_by_key(key), now=timezone.now())
    wait = getattr(refusal, "retry_after_seconds", None)
    return _answer(members, headers={"Retry-After": str(wait)} if wait else None)


def _members(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    title = code.replace("_", " ").capitalize()
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail, **more}


def _faults_of_fields(detail: Any) -> dict[str, Any]:
    """400 that names every field at fault, the first one also by itself."""
    errors = [{"field": field, "detail": fault} for field, fault in _flatten(detail, "")]
    first = errors[0]
    return _members(400, "invalid_request", f"{first['field']}: {first['detail']}", field=first["field"], errors=errors)


def _flatten(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flatten(inner, ".".join(part for part in (path, own) if part))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flatten(inner, path)
    else:
        yield path or "body", str(detail)


def _headers(raised: exceptions.APIException) -> dict[str, str]:
    challenge, wait = getattr(raised, "auth_header", None), getattr(raised, "wait", None)
    headers = {"WWW-Authenticate": str(challenge)} if challenge else {}
    return {**headers, "Retry-After": str(int(wait))} if wait else headers


def _answer(members: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(members, status=members["status"], headers=headers, content_type=MEDIA_TYPE)
