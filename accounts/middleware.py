"""What stands before the pages of staff, and around everybody's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.second_factor import lacks_second_factor


class PrivatePagesMiddleware:
    """No cache keeps a page of somebody logged in (addresses, sessions, second factors) unless its view says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.user.is_authenticated and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class StaffSecondFactorMiddleware:
    """Sends staff without a second factor to set one up before they see the admin (`STAFF_NEEDS_SECOND_FACTOR`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or "admin" not in match.app_names or match.url_name == "logout":
            return None
        if not isinstance(request.user, User) or not lacks_second_factor(request.user):
            return None
        messages.warning(request, _("Staff log in with a second factor. Set one up to open the admin."))
        return redirect("mfa_index")
