"""Turns the type annotations of Stripe's SDK into schemas, by reading its source: no code of it runs."""

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from sandbox.contract.scope import FULL_RESOURCES, OPENED_FIELDS

Schema: TypeAlias = dict[str, Any]

_PRIMITIVES: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "Decimal": {"type": "string", "format": "decimal"},
    "Any": {},
    "StripeObject": {"type": "object"},
    "UntypedStripeObject": {"type": "object"},
}
_NULL: Schema = {"nullable": True, "x-null": True}
_WITHOUT_KEYWORDS = {"from_": "from", "in_": "in", "is_": "is"}


@dataclass(frozen=True)
class Module:
    classes: dict[str, ast.ClassDef]
    imports: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Scope:
    """Where a name in an annotation is looked up: the enclosing classes from the outside in, then the module."""

    module: Module
    classes: tuple[ast.ClassDef, ...] = ()


@dataclass
class SdkTypes:
    """Schemas of the SDK's types; each resource that is met on the way is collected in ``resources``."""

    root: Path
    resources: dict[str, Schema] = field(default_factory=dict)
    _modules: dict[str, Module | None] = field(default_factory=dict)

    def module(self, dotted: str) -> Module | None:
        """The classes and imports of a module of the SDK, or None where there is no such file."""
        if dotted not in self._modules:
            self._modules[dotted] = self._read_module(dotted)
        return self._modules[dotted]

    def schema(self, annotation: ast.expr, scope: Scope) -> Schema:
        """The schema of one type annotation."""
        match annotation:
            case ast.Constant(value=None):
                return dict(_NULL)
            case ast.Constant(value=str(source)):
                return self.schema(ast.parse(source.strip(), mode="eval").body, scope)
            case ast.BinOp():
                return self._union(_alternatives(annotation), scope)
            case ast.Subscript():
                return self._generic(annotation, scope)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return dict(_PRIMITIVES[name]) if name in _PRIMITIVES else self._named(name, scope)
        return {}

    def _read_module(self, dotted: str) -> Module | None:
        base = self.root.joinpath(*dotted.split(".")[1:])
        path = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
        if not path.exists():
            return None
        tree = ast.parse(path.read_text())
        imports = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stripe")
            for alias in node.names
        }
        return Module({node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}, imports)

    def _generic(self, node: ast.Subscript, scope: Scope) -> Schema:
        head = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        match head:
            case "NotRequired" | "Required" | "ClassVar":
                return self.schema(arguments[0], scope)
            case "Optional":
                return _nullable(self.schema(arguments[0], scope))
            case "Union":
                return self._union(arguments, scope)
            case "List" | "list" | "Sequence":
                return {"type": "array", "items": self.schema(arguments[0], scope)}
            case "Dict" | "dict" | "Mapping":
                return {"type": "object", "additionalProperties": self.schema(arguments[1], scope)}
            case "UntypedStripeObject":
                return {"type": "object", "additionalProperties": self.schema(arguments[0], scope)}
            case "Literal":
                values = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
                return {"type": "boolean" if isinstance(values[0], bool) else "string", "enum": values}
            case "ExpandableField":
                return {"anyOf": [{"type": "string"}, self.schema(arguments[0], scope)], "x-expandable": True}
            case "ListObject":
                return list_schema(self.schema(arguments[0], scope))
        return {}

    def _union(self, annotations: list[ast.expr], scope: Scope) -> Schema:
        found = [self.schema(annotation, scope) for annotation in annotations]
        choices = [choice for choice in found if not choice.get("x-null")]
        is_nullable = len(choices) < len(found)
        documented = [choice for choice in choices if choice.get("type") == "string" and "enum" in choice]
        if documented and {"type": "string"} in choices:  # an open enum: new values may come, keep the known ones
            choices.remove({"type": "string"})
            documented[0]["x-open-enum"] = True
        union = choices[0] if len(choices) == 1 else {"anyOf": choices}
        return _nullable(union) if is_nullable else union

    def _named(self, name: str, scope: Scope) -> Schema:
        for depth in range(len(scope.classes), 0, -1):
            for node in scope.classes[depth - 1].body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return self._fields(node, Scope(scope.module, (*scope.classes[:depth], node)))
        if name in scope.module.classes:
            return self._class(name, scope.module)
        if name in scope.module.imports:
            dotted, real_name = scope.module.imports[name]
            module = self.module(dotted)
            if module and real_name in module.classes:
                return self._class(real_name, module)
            if module and real_name in module.imports:
                return self._named(real_name, Scope(module))
        return {"type": "object"}

    def _class(self, name: str, module: Module) -> Schema:
        node = module.classes[name]
        resource = _object_name(node)
        if resource is None:
            return self._fields(node, Scope(module, (node,)))
        if resource not in self.resources:
            self.resources[resource] = {}  # set before its fields are read: resources refer to each other
            self.resources[resource] = self._resource(resource, node, module)
        return {"$ref": f"#/components/schemas/{resource}"}

    def _resource(self, resource: str, node: ast.ClassDef, module: Module) -> Schema:
        marker: Schema = {"type": "string", "enum": [resource]}
        if resource not in FULL_RESOURCES:
            properties = {"id": {"type": "string"}, "object": marker}
            return {"type": "object", "x-opened": True, "x-resourceId": resource, "properties": properties}
        schema = self._fields(node, Scope(module, (node,)))
        schema["x-resourceId"] = resource
        schema["x-expandableFields"] = [name for name, value in schema["properties"].items() if _is_expandable(value)]
        schema["properties"].setdefault("object", marker)
        return schema

    def _fields(self, node: ast.ClassDef, scope: Scope) -> Schema:
        properties: dict[str, Schema] = {}
        required = set()
        for statement in node.body:
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            name, source = statement.target.id, ast.unparse(statement.annotation)
            if name == "OBJECT_NAME" or name.startswith("_"):
                continue
            name = _WITHOUT_KEYWORDS.get(name, name)
            is_open = name in OPENED_FIELDS
            properties[name] = (
                {"type": "object", "x-opened": True} if is_open else self.schema(statement.annotation, scope)
            )
            is_optional = source.startswith("Optional") or "NotRequired" in source or "ClassVar" in source
            if not is_optional and name != "deleted":
                required.add(name)
        return {"type": "object", "properties": properties, **({"required": sorted(required)} if required else {})}


def list_schema(items: Schema) -> Schema:
    """The schema of one page of a list."""
    return {
        "type": "object",
        "required": ["data", "has_more", "object", "url"],
        "properties": {
            "data": {"type": "array", "items": items},
            "has_more": {"type": "boolean"},
            "object": {"type": "string", "enum": ["list"]},
            "url": {"type": "string"},
        },
    }


def _alternatives(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [*_alternatives(node.left), node.right]
    return [node]


def _nullable(schema: Schema) -> Schema:
    return {**({"anyOf": [schema]} if "$ref" in schema else schema), "nullable": True}


def _is_expandable(schema: Schema) -> bool:
    choices = [schema, *schema.get("anyOf", [])]
    if schema.get("type") == "array":
        choices.append(schema["items"])
    return any(choice.get("x-expandable") for choice in choices)


def _object_name(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign):
            target: ast.expr = statement.target
        elif isinstance(statement, ast.Assign):
            target = statement.targets[0]
        else:
            continue
        if isinstance(target, ast.Name) and target.id == "OBJECT_NAME" and isinstance(statement.value, ast.Constant):
            return str(statement.value.value)
    return None
