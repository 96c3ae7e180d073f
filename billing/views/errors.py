"""Pages for what went wrong, in the same frame as all others."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request could not be read."""
    return _render_error(request, "400.html", status=HTTPStatus.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: logged in, but not for this."""
    return _render_error(request, "403.html", status=HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such page, or somebody else's; the two look the same."""
    return _render_error(request, "404.html", status=HTTPStatus.NOT_FOUND)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form came without its token. The reason is for the log, not for the page."""
    return _render_error(request, "403_csrf.html", status=HTTPStatus.FORBIDDEN)


def _render_error(request: HttpRequest, template: str, *, status: HTTPStatus) -> HttpResponse:
    """The page, which no cache may keep: its header shows a balance."""
    response = render(request, template, status=status)
    add_never_cache_headers(response)
    return response
