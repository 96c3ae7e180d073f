"""Pages of a list, newest first: `limit` rows after the row of `starting_after`, or before that of `ending_before`."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import django_filters
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.parsing import StrictSerializer

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 100
Row = TypeVar("Row", bound=Model)


class ListQuery(StrictSerializer):
    """What every list understands."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    starting_after = serializers.CharField(max_length=100, required=False)


class CursorQuery(ListQuery):
    """What a list understands that can be read in both directions."""

    ending_before = serializers.CharField(max_length=100, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "starting_after" in attrs and "ending_before" in attrs:
            raise serializers.ValidationError({"ending_before": ["Send this or starting_after, not both."]})
        return attrs


def filter_rows(request: Request, shape: type[django_filters.FilterSet], rows: QuerySet[Row]) -> QuerySet[Row]:
    """The rows that the parameters of the address ask for; faults are told by the names of the parameters."""
    chosen = shape(request.query_params, queryset=rows, request=request)
    if not chosen.is_valid():
        raise serializers.ValidationError({name: list(faults) for name, faults in chosen.errors.items()})
    filtered: QuerySet[Row] = chosen.qs
    return filtered


def answer_list(request: Request, *, rows: list[dict[str, Any]], has_more: bool) -> Response:
    """One page, with the address of the list."""
    return Response({"object": "list", "url": request.path, "has_more": has_more, "data": rows})
