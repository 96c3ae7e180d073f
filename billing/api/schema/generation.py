"""How drf-spectacular reads our views: names, texts and answers come from the table of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import django_filters
from drf_spectacular.drainage import error
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.permissions import SAFE_METHODS

from billing.api.base import NoSuchAddress, StaffView
from billing.api.callers import HEADER as CUSTOMER_HEADER
from billing.api.idempotency import HEADER as KEY_HEADER
from billing.api.idempotency import MAX_LENGTH, REPLAYED
from billing.api.schema.operations import OPERATIONS, Operation
from billing.api.schema.problems import problem_reference, problem_responses, problem_schemas

Schema = dict[str, Any]
PREFIX: Final = "/api/v1/"

_EVERYWHERE: Final = (400, 401, 403, 429, 500, 503)
_WITH_A_BODY: Final = (413, 415)
_WITH_A_KEY: Final = (409, 422)
_ANSWER_HEADERS: Final = ("RateLimit", "RateLimit-Policy")
_HEADERS: Final[dict[str, Schema]] = {
    "RateLimit": {
        "description": "How many requests are left (`r`), and the seconds until there are more (`t`).",
        "schema": {"type": "string", "examples": ['"key";r=599;t=42']},
    },
    "RateLimit-Policy": {
        "description": "How many requests (`q`) there may be in how many seconds (`w`).",
        "schema": {"type": "string", "examples": ['"key";q=600;w=60']},
    },
    "Retry-After": {
        "description": "Ask again after so many seconds.",
        "schema": {"type": "integer", "minimum": 0, "examples": [20]},
    },
    "WWW-Authenticate": {
        "description": "How to say who is calling.",
        "schema": {"type": "string", "examples": ['Bearer realm="api"']},
    },
    "ETag": {
        "description": "Names this state. Send it back as `If-None-Match`, and get 304 while nothing has changed.",
        "schema": {"type": "string", "examples": ['"4f5e0bc0a0d3b3cfa5d1d1a9c6f3b0e2"']},
    },
    REPLAYED: {
        "description": "Present when this answer was given before, to the same request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


class DocumentedSchema(AutoSchema):
    """One operation of the schema. A view that is not in the table is an error, so none is forgotten."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation is None or self._described is None:
            return operation
        names = [*_ANSWER_HEADERS, *self._described.headers]
        if self._described.takes_key:
            names.append(REPLAYED)
        for status, answer in operation["responses"].items():
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
            answer["description"] = str(self._described.answers[int(status)].__doc__)
        if "ETag" in self._described.headers:
            operation["responses"]["304"] = {"description": "Nothing has changed since the `ETag` that was sent."}
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
        for status in sorted(self._problems()):
            operation["responses"][str(status)] = problem_reference(status)
        return operation

    @property
    def _described(self) -> Operation | None:
        described = OPERATIONS.get((type(self.view), self.method))
        if described is None:
            error(f"{self.method} {self.path} is not described in any table of operations.")
        return described

    def _problems(self) -> set[int]:
        described = self._told()
        statuses = {*_EVERYWHERE, *described.problems}
        if self.method not in SAFE_METHODS:
            statuses |= {*_WITH_A_BODY}
        if described.takes_key:
            statuses |= {*_WITH_A_KEY}
        return statuses | ({404} if described.takes_customer or described.path else set())

    def _told(self) -> Operation:
        return self._described or _NOTHING

    def get_operation_id(self) -> str:
        return self._told().name

    def get_summary(self) -> str:
        return self._told().summary

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular does
        """What it does, and what a key needs for it."""
        if isinstance(self.view, StaffView):
            return f"{self._told().description}\n\nFor staff with the permission `{self.view.permission}`."
        scope = getattr(self.view, "scopes", {}).get(self.method)
        return f"{self._told().description}\n\nAn API key needs the scope `{scope}`."

    def get_tags(self) -> list[str]:
        return [self._told().tag]

    def get_auth(self) -> list[Schema]:
        ways: list[Schema] = super().get_auth()
        return ways if self._told().takes_session else [way for way in ways if "session" not in way]

    def get_request_serializer(self) -> Any:
        if self._told().body_schema is not None:
            return {"application/json": dict(self._told().body_schema or {})}
        return self._told().body

    def get_response_serializers(self) -> Any:
        return dict(self._told().answers)

    def get_examples(self) -> list[OpenApiExample]:
        told = self._told()
        examples = [
            OpenApiExample(
                f"answer {status}",
                value=told.examples.get(status, told.example),
                response_only=True,
                status_codes=[str(status)],
            )
            for status in told.answers
        ]
        if told.body_example is not None:
            examples.append(OpenApiExample("request", value=told.body_example, request_only=True))
        return examples

    def get_override_parameters(self) -> list[Any]:
        told = self._told()
        parameters: list[Any] = [
            OpenApiParameter(name, dict(schema), OpenApiParameter.PATH, required=True, description=_describe(schema))
            for name, schema in told.path.items()
        ]
        if told.query is not None:
            parameters.append(told.query)
        if told.filters is not None:
            parameters += [_filter_parameter(name, each) for name, each in told.filters.base_filters.items()]
        if told.takes_customer:
            parameters.append(_CUSTOMER)
        if "ETag" in told.headers:
            parameters.append(_ETAG)
        if told.takes_key:
            parameters.append(_key_parameter(is_required=told.needs_key))
        return parameters


_NOTHING: Final = Operation(name="unknown", tag="unknown", summary="", description="", answers={}, example={})
_CUSTOMER: Final = OpenApiParameter(
    CUSTOMER_HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="For which customer: an id of ours (`cust_…`) or the `external_id` of yours. Left out, the caller's "
    "own. A key needs the scope `customers` for it.",
)


_ETAG: Final = OpenApiParameter(
    "If-None-Match", {"type": "string"}, OpenApiParameter.HEADER, description="The `ETag` of the last answer."
)


def _key_parameter(*, is_required: bool) -> OpenApiParameter:
    return OpenApiParameter(
        KEY_HEADER,
        {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        OpenApiParameter.HEADER,
        required=is_required,
        description="Names this intent. The same request again gets the first answer and does nothing. Use a new one, "
        "such as a UUID, for each new intent.",
    )


def _describe(schema: Any) -> str:
    return str(schema.get("description", ""))


def _filter_parameter(name: str, each: django_filters.Filter) -> OpenApiParameter:
    schema: Schema = {"type": "string", "minLength": 1}
    choices = each.extra.get("choices")
    if isinstance(each, django_filters.ChoiceFilter) and choices is not None:
        schema = {"type": "string", "enum": [value for value, _ in choices]}
    elif isinstance(each, django_filters.IsoDateTimeFilter):
        schema = {"type": "string", "format": "date-time"}
    elif (length := each.extra.get("max_length")) is not None:
        schema["maxLength"] = length
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=str(each.label or _FILTERS.get(name, "")))


_FILTERS: Final = {
    "since": "What happened then or later.",
    "until": "What happened before then.",
}


def keep_api(endpoints: list[tuple[str, str, str, Callable[..., Any]]]) -> list[tuple[str, str, str, Any]]:
    """The addresses that the schema is about: those of the REST API, without the one for all that do not exist."""
    return [
        each for each in endpoints if each[0].startswith(PREFIX) and getattr(each[3], "cls", None) is not NoSuchAddress
    ]


def add_components(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """The schema with what its operations name: refusals and headers."""
    _drop_marks(result)
    components = result.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **problem_schemas()}
    components["responses"] = problem_responses()
    components["headers"] = dict(_HEADERS)
    result["servers"] = [{"url": "/", "description": "This installation"}]
    return result


def _drop_marks(part: Any) -> None:
    """Take out what drf-spectacular marks enumerations with, for a step that we do not use."""
    if isinstance(part, dict):
        part.pop("x-spec-enum-id", None)
        for inner in part.values():
            _drop_marks(inner)
    elif isinstance(part, list):
        for inner in part:
            _drop_marks(inner)
