"""`/api/schema/`, the REST API in OpenAPI 3.1, and `/api/docs/`, the page that shows it."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import condition, require_safe
from drf_spectacular.generators import SchemaGenerator

import billing.api.schema.buying
import billing.api.schema.extensions
import billing.api.schema.plans
import billing.api.schema.reading
import billing.api.schema.spending
import billing.api.schema.webhooks  # noqa: F401
import usage.api.schema  # noqa: F401  # all of them say by being imported what the schema shall hold


@cache
def _document() -> bytes:
    """The schema, which is the same for everybody and for the life of this process."""
    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]  # it has no types of its own
    return json.dumps(generator.get_schema(public=True), default=str).encode()


def _etag(request: HttpRequest) -> str:
    return f'"{sha256(_document()).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=_etag)
def schema(request: HttpRequest) -> HttpResponse:
    """The schema as JSON."""
    return HttpResponse(_document(), content_type="application/json", headers={"Cache-Control": "public, max-age=300"})


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page, whose scripts and styles are ours and in files of their own."""
    return render(request, "api/docs.html")
