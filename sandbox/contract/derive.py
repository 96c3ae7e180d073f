"""Derives the contract from the installed Stripe SDK.

The SDK is generated from Stripe's own API description, so its services (method and path), parameter types and
resource classes say what Stripe accepts and answers. They are read as source, never imported.

    python -m sandbox.contract.derive          writes the contract
    python -m sandbox.contract.derive --check  exits 1 when the installed SDK and the committed contract differ
"""

import argparse
import ast
import gzip
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.contract.scope import ERROR_FIELDS, ERROR_OBJECTS, WANTED_PATH
from sandbox.contract.sdk_types import Module, Schema, Scope, SdkTypes

CONTRACT_PATH = Path(__file__).with_name("contract.json.gz")
_EXPLODED = {"style": "deepObject", "explode": True}


@dataclass(frozen=True)
class SdkMethod:
    """A method of a service of the SDK that sends one request."""

    name: str
    http_method: str
    path: str
    params: Schema
    answer: Schema


def derive_contract(*, sdk: Path) -> dict[str, Any]:
    """An OpenAPI 3 document of the wanted part of the API that the SDK in this folder speaks."""
    types = SdkTypes(sdk)
    paths: dict[str, dict[str, Any]] = {}
    for method in _read_methods(types):
        paths.setdefault(method.path, {})[method.http_method] = _operation(method)
    schemas = {**types.resources, "error": _error_schema()}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Stripe API (subset for prepaid credits)", "version": _api_version(sdk)},
        "servers": [{"url": "https://api.stripe.com/"}],
        "security": [{"bearerAuth": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def load_contract() -> dict[str, Any]:
    """The committed contract."""
    contract: dict[str, Any] = json.loads(gzip.decompress(CONTRACT_PATH.read_bytes()))
    return contract


def save_contract(contract: dict[str, Any]) -> None:
    """Write the contract so that the same content always gives the same bytes."""
    text = json.dumps(contract, separators=(",", ":"), sort_keys=True)
    CONTRACT_PATH.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def find_differences(*, committed: dict[str, Any], derived: dict[str, Any]) -> list[str]:
    """One line for each operation, object and version in which two contracts differ; empty when they agree."""
    differences = []
    if committed["info"]["version"] != derived["info"]["version"]:
        differences.append(f"API version: {committed['info']['version']} is now {derived['info']['version']}")
    for noun, old, new in (
        ("operation", _flat_operations(committed), _flat_operations(derived)),
        ("object", committed["components"]["schemas"], derived["components"]["schemas"]),
    ):
        differences += [f"{noun} {name} is new" for name in sorted(new.keys() - old.keys())]
        differences += [f"{noun} {name} is gone" for name in sorted(old.keys() - new.keys())]
        changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
        differences += [f"{noun} {name} changed" for name in changed]
    return differences


def _flat_operations(contract: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, operations in contract["paths"].items()
        for method, operation in operations.items()
    }


def installed_sdk() -> Path:
    """The folder of the installed SDK, found without importing it."""
    found = importlib.util.find_spec("stripe")
    if found is None or found.origin is None:
        raise RuntimeError("The Stripe SDK is not installed: pip install -r requirements.txt")
    return Path(found.origin).parent


def _api_version(sdk: Path) -> str:
    found = re.search(r'CURRENT = "([^"]+)"', (sdk / "_api_version.py").read_text())
    if found is None:
        raise RuntimeError(f"No API version in {sdk / '_api_version.py'}")
    return found[1]


def _read_methods(types: SdkTypes) -> Iterator[SdkMethod]:
    for path in sorted(types.root.rglob("*_service.py")):
        dotted = ".".join(("stripe", *path.relative_to(types.root).with_suffix("").parts))
        module = types.module(dotted)
        if module is None or ".v2." in dotted:
            continue
        for service in module.classes.values():
            for function in service.body:
                if isinstance(function, ast.FunctionDef) and not function.name.endswith("_async"):
                    yield from _read_method(types, module, service.name, function)


def _read_method(types: SdkTypes, module: Module, service: str, function: ast.FunctionDef) -> Iterator[SdkMethod]:
    request = _request_of(function)
    if request is None or function.returns is None or not WANTED_PATH.match(request[1]):
        return
    http_method, path = request
    annotations = {argument.arg: argument.annotation for argument in function.args.args}
    params: Schema = {"type": "object", "properties": {}}
    annotation = annotations.get("params")
    if annotation is not None:
        params = types.schema(annotation, Scope(module))
        params.pop("nullable", None)
        params = params["anyOf"][0] if "anyOf" in params else params
    answer = types.schema(function.returns, Scope(module))
    yield SdkMethod(f"{service}.{function.name}", http_method, path, params, answer)


def _request_of(function: ast.FunctionDef) -> tuple[str, str] | None:
    for node in ast.walk(function):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_request"):
            continue
        method, path = node.args[0], node.args[1]
        if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):  # "/v1/…{id}".format(…)
            path = path.func.value
        if isinstance(method, ast.Constant) and isinstance(path, ast.Constant):
            return str(method.value), str(path.value)
    return None


def _operation(method: SdkMethod) -> Schema:
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", method.path)
    ]
    fields = method.params.get("properties", {})
    if method.http_method == "post":
        encoding = {name: _EXPLODED for name, schema in fields.items() if _is_deep(schema)}
        body, is_required = close_objects(method.params), bool(method.params.get("required"))
    else:
        required = method.params.get("required", [])
        for name, schema in fields.items():
            style = _EXPLODED if _is_deep(schema) else {"style": "form"}
            parameters.append({"name": name, "in": "query", "required": name in required, "schema": schema, **style})
        encoding, is_required = {}, False
        body = {"type": "object", "properties": {}, "additionalProperties": False}
    form = {"application/x-www-form-urlencoded": {"encoding": encoding, "schema": body}}
    return {
        "operationId": method.name,
        "parameters": parameters,
        "requestBody": {"required": is_required, "content": form},
        "responses": {
            "200": _response("ok", method.answer),
            "default": _response("error", {"$ref": "#/components/schemas/error"}),
        },
    }


def close_objects(schema: Any) -> Any:
    """The same schema, refusing unknown parameters at every level, as Stripe does."""
    if isinstance(schema, list):
        return [close_objects(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: value if key == "enum" else close_objects(value) for key, value in schema.items()}
    is_closed = closed.get("type") == "object" and "properties" in closed and not closed.get("x-opened")
    if is_closed and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


def _is_deep(schema: Schema) -> bool:
    return schema.get("type") in ("array", "object") or "anyOf" in schema


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error_schema() -> Schema:
    fields: dict[str, Schema] = {name: {"type": "string"} for name in ERROR_FIELDS}
    fields |= {name: {"$ref": f"#/components/schemas/{name}"} for name in ERROR_OBJECTS}
    error = {"type": "object", "required": ["type"], "properties": fields}
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the contract, or compare it with the installed SDK. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.contract.derive", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the two differ")
    parser.add_argument("--sdk", type=Path, help="the folder of the SDK (default: the installed one)")
    options = parser.parse_args(arguments)
    derived = derive_contract(sdk=options.sdk or installed_sdk())
    version = derived["info"]["version"]
    if not options.check:
        save_contract(derived)
        sys.stdout.write(f"Wrote {CONTRACT_PATH.name}: API version {version}, {len(derived['paths'])} paths.\n")
        return 0
    differences = find_differences(committed=load_contract(), derived=derived)
    if not differences:
        sys.stdout.write(f"The contract and the installed SDK agree on API version {version}.\n")
        return 0
    sys.stderr.write("The installed Stripe SDK and the committed contract differ:\n")
    sys.stderr.writelines(f"  {line}\n" for line in differences)
    sys.stderr.write("Read Stripe's changelog, then run: python -m sandbox.contract.derive\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
