"""What a caller may note beside its usage, checked before anything is done: afterwards it must be storable (pure)."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from billing.errors import InvalidRequest

MAX_NOTES: Final = 50
MAX_NAME_LENGTH: Final = 40
MAX_TEXT_LENGTH: Final = 500
_MAX_INTEGER: Final = 2**63 - 1
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")  # PostgreSQL refuses these in texts


def is_storable(text: str) -> bool:
    """Whether the database takes the text as it is."""
    return _UNSTORABLE.search(text) is None


def make_storable(text: str) -> str:
    """The text with a question mark for each character that the database refuses."""
    return _UNSTORABLE.sub("?", text)


def check_metadata(metadata: object) -> dict[str, Any]:
    """The notes as they will be stored.

    Raises:
        InvalidRequest: they are no flat object of names and simple values, or too large.
    """
    if not isinstance(metadata, Mapping) or len(metadata) > MAX_NOTES:
        raise _refuse("metadata", f"it is not an object of at most {MAX_NOTES} names")
    for name, value in metadata.items():
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_LENGTH or not is_storable(name):
            raise _refuse("metadata", f"a name in it is empty or longer than {MAX_NAME_LENGTH} characters, or no text")
        if fault := _fault(value):
            raise _refuse(f"metadata.{name}", fault)
    return dict(metadata)


def _fault(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        is_good = len(value) <= MAX_TEXT_LENGTH and is_storable(value)
        return "" if is_good else f"it is longer than {MAX_TEXT_LENGTH} characters, or not storable"
    if isinstance(value, int):
        return "" if abs(value) <= _MAX_INTEGER else "it is too large"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "it is not finite"
    return "it is neither a text, a number, true, false nor null"


def _refuse(field: str, fault: str) -> InvalidRequest:
    return InvalidRequest(
        field=field, fault=fault, remedy=f"Send up to {MAX_NOTES} names with texts, numbers, true, false or null."
    )
