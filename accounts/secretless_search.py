"""Lists of staff whose addresses keep no secret: what was searched for stands in them, and in logs and histories."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.key_search import without_secrets


class SecretlessSearch:
    """For a ModelAdmin: a search for a whole API key goes on with its public part."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        term = request.GET.get(SEARCH_VAR, "")
        if (public := without_secrets(term)) != term:
            query = request.GET.copy()
            query[SEARCH_VAR] = public
            return redirect(f"{request.path}?{query.urlencode()}")
        page: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        return page
