"""Checks requests, objects and events against the contract."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.contract.derive import load_contract
from sandbox.contract.forms import Form
from sandbox.contract.sdk_types import Schema

_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
_ALSO_TELL_PREVIOUS = frozenset(  # as delivered by Stripe
    {
        "charge.refunded",
        "charge.dispute.closed",
        "payment_method.automatically_updated",
        "payment_method.detached",
    }
)


@dataclass(frozen=True)
class Problem:
    """Why a request is refused, in Stripe's words."""

    message: str
    param: str
    code: str | None = None


@dataclass(frozen=True)
class Operation:
    """One method on one path of the API."""

    method: str
    path: str
    params: Schema
    answer: Schema
    pattern: re.Pattern[str]


class Contract:
    """The API that the SDK speaks: finds operations, reads parameters, checks what is answered."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.version: str = document["info"]["version"]
        self.schemas: dict[str, Schema] = document["components"]["schemas"]
        operations = [
            _read_operation(method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        self.operations = sorted(operations, key=lambda operation: (operation.path.count("{"), operation.path))

    def find_operation(self, *, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation behind an address and the ids in its path, or None."""
        for operation in self.operations:
            if operation.method == method.lower() and (match := operation.pattern.fullmatch(path)):
                return operation, match.groupdict()
        return None

    def read_params(self, *, operation: Operation, form: Form) -> tuple[dict[str, Any], list[Problem]]:
        """The typed parameters of a request and what is wrong with them."""
        problems: list[Problem] = []
        params = self._read(form, operation.params, "", problems)
        return (params if isinstance(params, dict) else {}), problems

    def check_value(self, value: Any, schema: Schema, *, at: str = "") -> list[str]:
        """Each place where a JSON value breaks its schema; empty when it holds."""
        breaches: list[str] = []
        self._check(value, schema, at, breaches)
        return breaches

    def check_resource(self, resource: dict[str, Any]) -> list[str]:
        """Each place where an object of the API breaks the contract; empty when it holds."""
        name = str(resource.get("object"))
        if name not in self.schemas:
            return [f"{name}: no such object"]
        return self.check_value(resource, self.schemas[name], at=name)

    def check_event(self, event: dict[str, Any]) -> list[str]:
        """Each place where an event or the object in it breaks the contract; empty when it holds."""
        breaches = self.check_resource(event)
        if not breaches:
            breaches = self.check_resource(event["data"]["object"])
        if event.get("api_version") != self.version:
            breaches.append(f"event.api_version: {event.get('api_version')} is not {self.version}")
        has_previous = "previous_attributes" in event.get("data", {})
        event_type = str(event.get("type"))
        if has_previous != (event_type.endswith(".updated") or event_type in _ALSO_TELL_PREVIOUS):
            breaches.append("event.data.previous_attributes: belongs to *.updated events, and only to them")
        return [f"{event.get('type')}: {breach}" for breach in breaches]

    def resolve(self, schema: Schema) -> Schema:
        """The schema behind a reference."""
        reference = schema.get("$ref")
        return self.schemas[reference.rsplit("/", 1)[1]] if reference else schema

    def _read(self, value: Any, schema: Schema, at: str, problems: list[Problem]) -> Any:
        if "anyOf" in schema:
            return self._read_any(value, schema["anyOf"], at, problems)
        match schema.get("type"):
            case "object":
                return self._read_object(value, schema, at, problems)
            case "array":
                return self._read_array(value, schema, at, problems)
            case "integer" if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
                return int(value)
            case "integer":
                problems.append(Problem(f"Invalid integer: {value}", at, "parameter_invalid_integer"))
            case "number" if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
                return float(value)
            case "number":
                problems.append(Problem(f"Invalid decimal: {value}", at, "parameter_invalid_decimal"))
            case "boolean" if value in ("true", "false"):
                return value == "true"
            case "boolean":
                problems.append(Problem(f"Invalid boolean: {value}", at, "parameter_invalid_boolean"))
            case "string" if not isinstance(value, str):
                problems.append(Problem(f"Invalid string: {value}", at, "parameter_invalid_string"))
            case "string" if value not in schema.get("enum", [value]) and not _is_any_text(schema):
                known = ", ".join(map(str, schema["enum"][:12]))
                problems.append(Problem(f"Invalid {at}: must be one of {known}", at))
        return value

    def _read_any(self, value: Any, choices: list[Schema], at: str, problems: list[Problem]) -> Any:
        fewest: list[Problem] | None = None
        for choice in choices:
            found: list[Problem] = []
            read = self._read(value, choice, at, found)
            if not found:
                return read
            if fewest is None or isinstance(value, _JSON_TYPES.get(choice.get("type", ""), ())):
                fewest = found
        problems += fewest or []
        return value

    def _read_object(self, value: Any, schema: Schema, at: str, problems: list[Problem]) -> Any:
        if not isinstance(value, dict):
            problems.append(Problem("Invalid object", at))
            return value
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        read = {}
        for name, item in value.items():
            below = f"{at}[{name}]" if at else name
            if name not in properties and others is False:
                problems.append(Problem(f"Received unknown parameter: {below}", below, "parameter_unknown"))
            else:
                read[name] = self._read(item, properties.get(name, others), below, problems)
        for name in schema.get("required", []):
            if name not in value:
                below = f"{at}[{name}]" if at else name
                problems.append(Problem(f"Missing required param: {below}.", below, "parameter_missing"))
        return read

    def _read_array(self, value: Any, schema: Schema, at: str, problems: list[Problem]) -> Any:
        if value == "":
            return []
        if not isinstance(value, dict) or not all(key.isdigit() for key in value):
            problems.append(Problem("Invalid array", at))
            return value
        ordered = sorted(value.items(), key=lambda item: int(item[0]))
        return [self._read(item, schema.get("items", {}), f"{at}[{key}]", problems) for key, item in ordered]

    def _check(self, value: Any, schema: Schema, at: str, breaches: list[str]) -> None:
        if value is None:
            if schema and not schema.get("nullable") and not schema.get("x-opened"):
                breaches.append(f"{at}: must not be null")
            return
        schema = self.resolve(schema)
        if "anyOf" in schema:
            self._check_any(value, schema["anyOf"], at, breaches)
            return
        expected = _JSON_TYPES.get(schema.get("type", ""))
        is_bool_as_number = isinstance(value, bool) and schema.get("type") in ("integer", "number")
        if expected and (not isinstance(value, expected) or is_bool_as_number):
            breaches.append(f"{at}: {value!r} is no {schema['type']}")
        elif schema.get("enum") and value not in schema["enum"]:
            breaches.append(f"{at}: {value!r} is not a documented value")
        elif isinstance(value, dict) and not schema.get("x-opened"):
            self._check_object(value, schema, at, breaches)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._check(item, schema.get("items", {}), f"{at}[{index}]", breaches)

    def _check_any(self, value: Any, choices: list[Schema], at: str, breaches: list[str]) -> None:
        closest: list[str] | None = None
        for choice in choices:
            found: list[str] = []
            self._check(value, choice, at, found)
            if not found:
                return
            if closest is None or isinstance(value, dict):
                closest = found
        breaches += closest or []

    def _check_object(self, value: dict[str, Any], schema: Schema, at: str, breaches: list[str]) -> None:
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        for name, item in value.items():
            if properties is not None and name in properties:
                self._check(item, properties[name], f"{at}.{name}", breaches)
            elif isinstance(others, dict):
                self._check(item, others, f"{at}.{name}", breaches)
            elif properties is not None:
                breaches.append(f"{at}.{name}: no such field")
        if value.get("deleted") is not True:  # what is deleted keeps its id and nothing else
            missing = [name for name in schema.get("required", []) if name not in value]
            breaches += [f"{at}.{name}: is missing" for name in missing]


def _is_any_text(schema: Schema) -> bool:
    """Whether an enum only says that an empty string unsets what else may be any text."""
    return schema.get("enum") == [""] and bool(schema.get("x-open-enum"))


@cache
def committed_contract() -> Contract:
    """The contract that is committed with the project, read once."""
    return Contract(load_contract())


def _read_operation(method: str, path: str, operation: dict[str, Any]) -> Operation:
    if method == "post":
        params = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    else:
        queries = [parameter for parameter in operation["parameters"] if parameter["in"] == "query"]
        params = {
            "type": "object",
            "additionalProperties": False,
            "properties": {query["name"]: query["schema"] for query in queries},
            "required": [query["name"] for query in queries if query["required"]],
        }
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
    return Operation(method, path, params, answer, pattern)
