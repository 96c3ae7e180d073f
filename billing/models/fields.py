"""Columns and identifiers that several models share."""

import secrets
from typing import Any

from django.db import models

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no letters that are mistaken for another; 32, so five bits choose one
_LENGTH = 20


class CreditsField(models.DecimalField):  # type: ignore[type-arg]
    """Credits: a decimal with six places, ten million million of them at most."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 22, "decimal_places": 6, **kwargs})


def new_public_id(prefix: str) -> str:
    """A random name for the outside world, such as `pay_3k9…` (100 bits): ids of rows tell how many there are."""
    return f"{prefix}_{''.join(_ALPHABET[byte & 31] for byte in secrets.token_bytes(_LENGTH))}"
