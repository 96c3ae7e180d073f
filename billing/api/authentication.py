"""Who is calling. `DEFAULT_AUTHENTICATION_CLASSES` lists the ways in, the first that fits is taken."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.api_keys import KeyRefused, find_key, note_use
from accounts.models import ApiKey, User
from billing.selectors.key_owners import read_key

_REALM: Final = 'Bearer realm="api"'


class KeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer ppk_…`. Only the header counts: addresses end up in logs, so keys in them are ignored."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """The key's user and the key, with the user's customer joined; None where no bearer was sent."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        try:
            key = find_key(text=text.strip(), now=now, read=read_key)
        except KeyRefused as refused:
            raise AuthenticationFailed(str(refused), code=refused.code) from None
        note_use(key=key, now=now)
        if key.user is None:
            raise TypeError("find_key gave a key without a user.")
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """A challenge, so that strangers get 401 and not 403."""
        return _REALM


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
