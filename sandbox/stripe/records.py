"""What every object of the API shares: ids, private fields, metadata."""

import secrets
import string
from typing import Any, TypeAlias

Resource: TypeAlias = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, *, length: int = 24) -> str:
    """A fresh random id such as ``pi_3Qn…``."""
    return f"{prefix}_{random_word(length)}"


def random_word(length: int) -> str:
    """Random letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def public(resource: Resource) -> Resource:
    """A copy without our private fields, whose names start with an underscore, of it and of the objects in it."""
    copied: Resource = _strip(resource)
    return copied


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        is_resource = "object" in value  # a key of somebody's metadata may start with an underscore
        return {name: _strip(item) for name, item in value.items() if not (is_resource and name.startswith("_"))}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value


def merge_metadata(existing: dict[str, str] | None, given: Any) -> dict[str, str]:
    """Metadata after an update: keys are merged, an empty value removes its key, an empty string removes all."""
    if given is None:
        return dict(existing or {})
    if given == "":
        return {}
    merged = {**(existing or {}), **given}
    return {name: value for name, value in merged.items() if value != ""}


def changed_attributes(*, before: Resource, after: Resource) -> Resource:
    """The old values of what changed, as ``previous_attributes`` of an event gives them."""
    old, new = public(before), public(after)
    return {name: old.get(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
