"""API keys found by what people have at hand: their beginning, or a whole key that somebody pasted."""

import re
from typing import Final

from django.db.models import QuerySet

from accounts.models import ApiKey

# With less than eight signs, words that people type would match; the id of a key has sixteen.
_BEGINNING: Final = re.compile(r"(?:ppk_(?:live|test)_)?([0-9a-z]{8,16})", re.ASCII)
_WHOLE_KEY: Final = re.compile(r"(ppk_(?:live|test)_[0-9a-z]{16})_\w+", re.ASCII)


def without_secrets(text: str) -> str:
    """The text with every API key in it cut down to its public part."""
    return _WHOLE_KEY.sub(r"\1", text)


def keys_like(term: str) -> QuerySet[ApiKey]:
    """Keys whose public part begins so, with or without `ppk_test_`; of a whole key only that is looked at."""
    found = _BEGINNING.fullmatch(without_secrets(term.strip()).rstrip("…"))
    return ApiKey.objects.filter(key_id__startswith=found[1]) if found else ApiKey.objects.none()
