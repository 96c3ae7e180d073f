"""What went wrong: a page in the same frame as all others, or a problem document for programs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.utils.cache import add_never_cache_headers

from billing.views.refusals import prefers_json

# Whoever asks below these is a program, whatever it says that it accepts.
_PROGRAMS: Final = ("/api/v1/", "/v1/")
_DETAILS: Final = {
    "bad_request": "The request could not be read. Nothing was changed and nothing was charged.",
    "permission_denied": "You have no access to this.",
    "csrf_failed": "The form had expired. Load the page again and send it anew; nothing was changed or charged.",
    "not_found": "There is no such address.",
    "internal_error": "Something went wrong on our side. Ask again with the same key.",
}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request could not be read."""
    return _answer(request, "400.html", status=HTTPStatus.BAD_REQUEST, code="bad_request")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: logged in, but not for this."""
    return _answer(request, "403.html", status=HTTPStatus.FORBIDDEN, code="permission_denied")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such page, or somebody else's; the two look the same."""
    return _answer(request, "404.html", status=HTTPStatus.NOT_FOUND, code="not_found")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form came without its token. The reason is for the log, not for the page."""
    return _answer(request, "403_csrf.html", status=HTTPStatus.FORBIDDEN, code="csrf_failed")


def server_error(request: HttpRequest) -> HttpResponse:
    """500: what nobody foresaw. The page asks nothing of the database or the session, which may be what broke."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if _is_from_program(request):
        return _render_problem(status=status, code="internal_error")
    page = loader.get_template("500.html").render({"request_id": request.META.get("HTTP_X_REQUEST_ID", "")})
    return _keep_out_of_caches(HttpResponse(page, status=status))


def _answer(request: HttpRequest, template: str, *, status: HTTPStatus, code: str) -> HttpResponse:
    if _is_from_program(request):
        return _render_problem(status=status, code=code)
    return _keep_out_of_caches(render(request, template, status=status))


def _is_from_program(request: HttpRequest) -> bool:
    return request.path.startswith(_PROGRAMS) or prefers_json(request)


def _render_problem(*, status: HTTPStatus, code: str) -> HttpResponse:
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": code.replace("_", " ").capitalize(),
        "status": status.value,
        "code": code,
        "detail": _DETAILS[code],
    }
    return _keep_out_of_caches(JsonResponse(members, status=status, content_type="application/problem+json"))


def _keep_out_of_caches(response: HttpResponse) -> HttpResponse:
    """The answer, which no cache may keep: a page's header shows a balance."""
    add_never_cache_headers(response)
    return response
