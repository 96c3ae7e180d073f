"""JSON that fits a schema, the same for the same schema (pure)."""

from typing import Any

_DEEPEST = 8


def example_of(schema: Any, *, depth: int = 0) -> Any:
    """A value of a JSON Schema, as far as tools and answers use it."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return example_of(schema[choice][0], depth=depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in schema:
        fields = schema.get("properties", {})
        return {name: example_of(field, depth=depth + 1) for name, field in fields.items()}
    if kind == "array":
        return [example_of(schema.get("items", {}), depth=depth + 1)]
    return {"string": "sandbox", "integer": 1, "number": 1.5, "boolean": True}.get(str(kind))
