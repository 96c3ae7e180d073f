"""Lists: filters and cursor pages, newest first."""

from collections.abc import Sequence
from typing import Any

from sandbox.stripe.errors import ApiError, no_such
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Condition

_RANGES = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
DEFAULT_LIMIT, HIGHEST_LIMIT = 10, 100


def list_page(
    sandbox: Sandbox,
    *,
    kind: str,
    url: str,
    params: dict[str, Any],
    filters: dict[str, str] | None = None,
    conditions: Sequence[Condition] = (),
) -> Resource:
    """One page of a list. ``filters`` maps a parameter to the field that it must equal (``created`` may be a range)."""
    wanted = [*conditions, *_read_filters(params, filters or {})]
    limit = _read_limit(params)
    after = _cursor(sandbox, kind, params, "starting_after")
    before = _cursor(sandbox, kind, params, "ending_before")
    found = sandbox.store.find_page(kind, wanted, after=after, before=before, limit=limit + 1)
    has_more = len(found) > limit
    if has_more:
        found = found[1:] if before is not None else found[:limit]
    return as_list(found, url=url, has_more=has_more)


def as_list(resources: list[Resource], *, url: str, has_more: bool = False) -> Resource:
    """A list object of the API."""
    return {"object": "list", "data": resources, "has_more": has_more, "url": url}


def slice_page(resources: list[Resource], *, url: str, params: dict[str, Any]) -> Resource:
    """One page of a list that lives inside an object, in its own order."""
    ids = [resource["id"] for resource in resources]
    start = ids.index(params["starting_after"]) + 1 if params.get("starting_after") in ids else 0
    limit = _read_limit(params)
    return as_list(resources[start : start + limit], url=url, has_more=len(resources) > start + limit)


def _read_filters(params: dict[str, Any], filters: dict[str, str]) -> list[Condition]:
    conditions = []
    for name, path in filters.items():
        value = params.get(name)
        if isinstance(value, dict):
            conditions += [Condition(path, _RANGES[key], item) for key, item in value.items() if key in _RANGES]
        elif value is not None:
            conditions.append(Condition(path, "=", value))
    return conditions


def _read_limit(params: dict[str, Any]) -> int:
    limit = int(params.get("limit", DEFAULT_LIMIT))
    if not 1 <= limit <= HIGHEST_LIMIT:
        message = f"Invalid integer: {limit}. The limit must be between 1 and {HIGHEST_LIMIT}."
        raise ApiError(message, code="parameter_invalid_integer", param="limit")
    return limit


def _cursor(sandbox: Sandbox, kind: str, params: dict[str, Any], name: str) -> str | None:
    cursor: str | None = params.get(name)
    if cursor is not None and sandbox.store.sequence_of(cursor, kind=kind) is None:
        raise no_such(kind, cursor, param=name, status=400)
    return cursor
