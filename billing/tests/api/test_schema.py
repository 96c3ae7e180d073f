"""`/api/schema/`: valid, complete, and true to the table that refusals are answered by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # brings no types

from billing.api.base import ApiView, NoSuchAddress
from billing.api.schema.generation import PREFIX
from billing.api.schema.operations import OPERATIONS
from billing.api.schema.problems import FRAMEWORK_CODES, NOT_OF_THE_API, codes_of
from billing.tests.api.operation_ids import OPERATION_IDS
from billing.views.refusals import STATUSES

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema as it is served."""
    document: dict[str, Any] = json.loads(Client().get("/api/schema/").content)
    return document


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield path, method, operation


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each address below a resolver with its view's class, named as OpenAPI names it."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), getattr(pattern.callback, "cls", None)
        else:
            yield from addresses(pattern, route)


def resolve(schema: dict[str, Any], part: Any) -> Any:
    """A part with its references replaced by what they name, for a validator that is given one part alone."""
    if isinstance(part, dict):
        if "$ref" in part:
            found: Any = schema
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            return resolve(schema, found)
        return {name: resolve(schema, inner) for name, inner in part.items()}
    return [resolve(schema, inner) for inner in part] if isinstance(part, list) else part


def test_schema_is_valid_and_is_written_without_a_warning() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


def test_view_that_nobody_described_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    GENERATOR_STATS.reset()
    monkeypatch.delitem(OPERATIONS, next(iter(OPERATIONS)))

    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]  # it has no types of its own
    generator.get_schema(public=True)

    assert "is not described in any table of operations" in capsys.readouterr().err
    GENERATOR_STATS.reset()


def test_schema_has_every_address_of_the_api_with_its_methods(schema: dict[str, Any]) -> None:
    ours = {
        (path, method)
        for path, view in addresses(get_resolver())
        if path.startswith(PREFIX) and view is not None and issubclass(view, ApiView) and view is not NoSuchAddress
        for method in METHODS
        if hasattr(view, method)
    }

    assert {(path, method) for path, method, _ in operations(schema)} == ours


def test_names_of_operations_stay_because_clients_are_generated_from_them(schema: dict[str, Any]) -> None:
    assert {operation["operationId"] for *_, operation in operations(schema)} == set(OPERATION_IDS)


def test_every_operation_has_a_text_a_known_tag_and_a_way_in(schema: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in schema["tags"]}

    for path, method, operation in operations(schema):
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        assert set(operation["tags"]) <= tags, (path, method)
        assert {"apiKey": []} in operation["security"], (path, method)


def test_idempotency_key_is_required_where_credits_move_and_known_by_every_other_post(schema: dict[str, Any]) -> None:
    keys = {
        operation["operationId"]: parameter.get("required", False)
        for *_, operation in operations(schema)
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key"
    }

    assert {name for name, is_required in keys.items() if is_required} == {
        "create_adjustment",
        "create_debit",
        "create_hold",
        "redeem_voucher",
        "settle_hold",
    }
    posts = {operation["operationId"] for _, method, operation in operations(schema) if method == "post"}
    assert posts - set(keys) == {"create_quote"}  # it changes nothing


def test_objects_of_the_schema_are_closed(schema: dict[str, Any]) -> None:
    open_ones = {
        name
        for name, shape in schema["components"]["schemas"].items()
        if shape.get("type") == "object" and shape.get("additionalProperties") is not False
    }

    assert open_ones == {"Problem"}  # a refusal tells what it knows


def test_every_example_is_what_its_schema_says(schema: dict[str, Any]) -> None:
    counted = 0
    bodies = [
        content
        for *_, operation in operations(schema)
        for holder in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in resolve(schema, holder).get("content", {}).values()
    ]

    for body in bodies:
        shape = resolve(schema, body["schema"])
        for example in body["examples"].values():
            Draft202012Validator(shape, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(example["value"])
            counted += 1

    assert counted > 3 * len(OPERATION_IDS)


def test_shapes_are_json_schema(schema: dict[str, Any]) -> None:
    for shape in schema["components"]["schemas"].values():
        Draft202012Validator.check_schema(shape)


def test_every_code_of_a_refusal_is_in_the_answer_of_its_status(schema: dict[str, Any]) -> None:
    told = {
        code: content["schema"]["allOf"][1]["properties"]["status"]["const"]
        for answer in schema["components"]["responses"].values()
        for content in answer["content"].values()
        for code in content["schema"]["allOf"][1]["properties"]["code"]["enum"]
    }
    ours = {code: status for code, status in STATUSES.items() if code not in NOT_OF_THE_API}

    assert told == {**ours, **FRAMEWORK_CODES}
    assert "insufficient_credits" in codes_of(402)


def test_schema_is_the_same_bytes_until_it_changes(client: Client) -> None:
    first = client.get("/api/schema/")

    again = client.get("/api/schema/", headers={"If-None-Match": first["ETag"]})

    assert first["Content-Type"] == "application/json"
    assert first.json()["openapi"].startswith("3.1")
    assert again.status_code == 304


def test_page_has_no_scripts_but_our_own_files(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()

    assert re.findall(r"<script([^>]*)>([^<]*)</script>", page) == [
        (' src="/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" defer', ""),
        (' src="/static/js/api-docs.js" defer', ""),
    ]
    assert "<style" not in page
    assert "style=" not in page
    assert "//" not in re.sub(r'"/static[^"]*"', "", page)
