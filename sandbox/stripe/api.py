"""The API over HTTP: who is asking, what for, what goes wrong on purpose, and what is answered."""

import base64
import json
import socket
import time
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox.contract.check import Operation
from sandbox.contract.forms import decode_form
from sandbox.stripe.calls import Call
from sandbox.stripe.errors import ApiError, PaymentFailed, refuse_problem
from sandbox.stripe.expanding import expand_answer
from sandbox.stripe.faults import Fault
from sandbox.stripe.handler import sandbox_of
from sandbox.stripe.idempotency import (
    LONGEST_KEY,
    KeptAnswer,
    find_kept_answer,
    fingerprint_request,
    keep_answer,
    refuse_in_flight,
)
from sandbox.stripe.machine import Cause, Sandbox
from sandbox.stripe.records import new_id
from sandbox.stripe.routes import ROUTES


def api_view(request: HttpRequest) -> HttpResponse:
    """Answer one request to the API."""
    sandbox = sandbox_of(request)
    request_id = new_id("req", length=14)
    is_replayed = False
    fault = sandbox.faults.take(method=request.method or "", path=request.path)
    try:
        _check_caller(sandbox, request)
        _strike_before(fault)
        kept, is_replayed = _answer(sandbox, request, request_id, fault)
    except ApiError as error:
        kept = KeptAnswer(error.status, error.as_resource(), request_id)
    _strike_after(fault, request)
    if fault and fault.kind == "lost_response":
        kept = KeptAnswer(500, _server_error().as_resource(), request_id)
    response = HttpResponse(json.dumps(kept.body), content_type="application/json", status=kept.status)
    response["Request-Id"] = request_id
    response["Stripe-Version"] = sandbox.contract.version
    if key := request.headers.get("Idempotency-Key"):
        response["Idempotency-Key"] = key
    if is_replayed:
        response["Idempotent-Replayed"] = "true"
        response["Original-Request"] = kept.request_id
    return response


def _check_caller(sandbox: Sandbox, request: HttpRequest) -> None:
    """Refuse a missing or unknown key and another version of the API."""
    key = _read_key(request.headers.get("Authorization", ""))
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
        raise ApiError(message, status=401)
    if not key.startswith(("sk_test_", "rk_test_")):
        raise ApiError(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)
    version = request.headers.get("Stripe-Version", sandbox.contract.version)
    if version != sandbox.contract.version:
        sandbox.record_breaches(request.path, [f"Stripe-Version {version} was asked for"])
        raise ApiError(f"Invalid Stripe API version: {version}. The sandbox speaks {sandbox.contract.version}.")


def _read_key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


def _answer(sandbox: Sandbox, request: HttpRequest, request_id: str, fault: Fault | None) -> tuple[KeptAnswer, bool]:
    """The answer, and whether it was given before."""
    method, path = request.method or "", request.path
    found = sandbox.contract.find_operation(method=method, path=path)
    handler = ROUTES.get((found[0].method, found[0].path)) if found else None
    if found is None or handler is None:
        reason = "Please see https://stripe.com/docs." if found is None else "The sandbox does not have it."
        raise ApiError(f"Unrecognized request URL ({method}: {path}). {reason}", status=404)
    operation, ids = found
    encoded = request.body.decode() if method == "POST" else request.META.get("QUERY_STRING", "")
    form = decode_form(encoded)
    params = _read_params(sandbox, operation, form, source=f"{method} {path}")
    call = Call(sandbox, path, params, ids)
    key = request.headers.get("Idempotency-Key") if method == "POST" else None
    if key is None:
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        with sandbox.work(Cause(request_id)):
            return _carry_out(call, operation, request_id), False
    if len(key) > LONGEST_KEY:
        raise ApiError(f"Idempotency keys may be {LONGEST_KEY} characters long at most.", kind="idempotency_error")
    fingerprint = fingerprint_request(method=method, path=path, form=form)
    with sandbox.in_flight(key) as is_first:
        if not is_first:
            raise refuse_in_flight(key)
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        with sandbox.work(Cause(request_id, key)):
            kept = find_kept_answer(sandbox, key=key, fingerprint=fingerprint)
            if kept:
                return kept, True
            kept = _carry_out(call, operation, request_id)
            keep_answer(sandbox, key=key, fingerprint=fingerprint, answer=kept)
            return kept, False


def _read_params(sandbox: Sandbox, operation: Operation, form: dict[str, Any], *, source: str) -> dict[str, Any]:
    params, problems = sandbox.contract.read_params(operation=operation, form=form)
    if problems:
        sandbox.record_breaches(source, [problem.message for problem in problems])
        raise refuse_problem(problems[0])
    return params


def _carry_out(call: Call, operation: Operation, request_id: str) -> KeptAnswer:
    """The answer to keep. A payment that failed is one too: what was done in trying stays done."""
    try:
        return KeptAnswer(200, _run(call, operation), request_id)
    except PaymentFailed as failure:
        answer = failure.as_resource()
        breaches = call.sandbox.contract.check_value(answer, call.sandbox.contract.schemas["error"], at="error")
        call.sandbox.record_breaches(f"refusal of {operation.method.upper()} {operation.path}", breaches)
        return KeptAnswer(failure.status, answer, request_id)


def _run(call: Call, operation: Operation) -> dict[str, Any]:
    """What the call answers, expanded, after a look whether it keeps to the contract."""
    paths = call.params.get("expand", [])
    answer = expand_answer(call.sandbox, ROUTES[operation.method, operation.path](call), operation.answer, paths)
    breaches = call.sandbox.contract.check_value(answer, operation.answer, at=answer.get("object", ""))
    call.sandbox.record_breaches(f"answer of {operation.method.upper()} {operation.path}", breaches)
    return answer


def _strike_before(fault: Fault | None) -> None:
    """Let a fault strike that keeps the request from doing anything."""
    if fault and fault.kind == "error":
        raise _server_error()
    if fault and fault.kind == "rate_limit":
        message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
        raise ApiError(message, status=429, code="rate_limit")


def _strike_after(fault: Fault | None, request: HttpRequest) -> None:
    """Let a fault strike when the request has done its work."""
    if fault and fault.kind == "timeout":
        time.sleep(fault.seconds)
    if fault and fault.kind == "dropped_connection":
        connection: socket.socket = request.META["sandbox.connection"]
        connection.shutdown(socket.SHUT_RDWR)


def _server_error() -> ApiError:
    return ApiError("An unknown error occurred. (The sandbox was told to fail.)", status=500, kind="api_error")
