"""A name for every request: in each line of its log, and in `X-Request-Id` of its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponseBase

HEADER: Final = "X-Request-Id"
_META: Final = "HTTP_X_REQUEST_ID"
_SANE: Final = re.compile(r"[A-Za-z0-9._\-]{1,64}", re.ASCII)


class RequestIdMiddleware:
    """Takes the name that a proxy or a caller gave, if it is one that a log can bear; makes one otherwise.

    Stands before django_structlog's middleware, which is told to trust the header that this one leaves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get(_META, "")
        request_id = given if _SANE.fullmatch(given) else str(uuid4())
        request.META[_META] = request_id
        response = self.get_response(request)
        response[HEADER] = request_id
        return response
