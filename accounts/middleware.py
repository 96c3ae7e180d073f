"""What stands before the pages of staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _


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
        if not settings.STAFF_NEEDS_SECOND_FACTOR or match is None or "admin" not in match.app_names:
            return None
        if match.url_name == "logout" or not request.user.is_staff or is_mfa_enabled(request.user):
            return None
        messages.warning(request, _("Staff log in with a second factor. Set one up to open the admin."))
        return redirect("mfa_index")
