"""Pages for what went wrong, in the same frame as all others."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request could not be read."""
    return render(request, "400.html", status=HTTPStatus.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: logged in, but not for this."""
    return render(request, "403.html", status=HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: no such page, or somebody else's; the two look the same."""
    return render(request, "404.html", status=HTTPStatus.NOT_FOUND)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form came without its token. The reason is for the log, not for the page."""
    return render(request, "403_csrf.html", status=HTTPStatus.FORBIDDEN)


def too_many_requests(request: HttpRequest, *, retry_after_seconds: int, detail: str = "") -> HttpResponse:
    """429 with `Retry-After` and the seconds on the page."""
    response = render(
        request,
        "429.html",
        {"retry_after_seconds": retry_after_seconds, "detail": detail},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    response["Retry-After"] = str(retry_after_seconds)
    return response
