"""Pages of a list, newest first: `limit` rows after the row named by `starting_after`."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.parsing import StrictSerializer

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 100


class ListQuery(StrictSerializer):
    """What every list understands."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    starting_after = serializers.CharField(max_length=100, required=False)


def answer_list(request: Request, *, rows: list[dict[str, Any]], has_more: bool) -> Response:
    """One page, with the address of the list."""
    return Response({"object": "list", "url": request.path, "has_more": has_more, "data": rows})
