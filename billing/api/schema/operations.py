"""What the schema says about each endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPMethod
from typing import Any, Final

import django_filters
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

Example = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address. `name` is what generated clients call it, so it does not change."""

    name: str
    tag: str
    summary: str
    description: str
    answers: Mapping[int, type[Serializer[Any]]]
    example: Example  # the body of every answer that has none of its own below
    examples: Mapping[int, Example] = field(default_factory=dict)
    body: type[Serializer[Any]] | None = None
    body_schema: Mapping[str, Any] | None = None  # where no serializer reads the body
    body_example: Example | None = None
    query: type[Serializer[Any]] | None = None
    filters: type[django_filters.FilterSet] | None = None
    path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()  # beside those that every address of its kind may answer with
    takes_key: bool = False  # understands Idempotency-Key
    needs_key: bool = False  # and refuses to act without one
    takes_customer: bool = True  # understands Billing-Customer
    takes_session: bool = True  # lets the session of a browser in as well
    headers: tuple[str, ...] = ()  # of the answer, beside those that every answer has


OPERATIONS: Final[dict[tuple[type[APIView], str], Operation]] = {}


def describe(view: type[APIView], /, **methods: Operation) -> None:
    """Enter the operations of a view: `describe(Debits, post=Operation(…))`."""
    for method, operation in methods.items():
        OPERATIONS[view, HTTPMethod(method.upper()).value] = operation
