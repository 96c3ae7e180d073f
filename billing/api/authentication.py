"""Who is calling. `DEFAULT_AUTHENTICATION_CLASSES` lists the ways in, the first that fits is taken."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from rest_framework import authentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request


class CsrfFailed(PermissionDenied):
    """A browser's session came without the token that only our own pages know."""

    default_code = "csrf_failed"
    default_detail = "Send the cookie csrftoken's value in the header X-CSRFToken as well. Nothing was changed."


def _answer_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of a logged-in browser, with its CSRF token on everything but reads."""

    def authenticate_header(self, request: Request) -> str:
        """A challenge, so that strangers get 401 and not 403."""
        return "Session"

    def enforce_csrf(self, request: Request) -> None:
        """Check Django's own request: the one around it would parse the body to look for a form's token."""
        check = authentication.CSRFCheck(_answer_nothing)
        check.process_request(request._request)
        if check.process_view(request._request, _answer_nothing, (), {}):
            raise CsrfFailed
