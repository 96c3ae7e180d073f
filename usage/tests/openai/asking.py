"""Prompts for the stand-in, and what they cost by the price of `usage.tests.factories`."""

from decimal import Decimal
from typing import Any

MODEL = "small-model"
START = 2000  # credits of the buyer


def say(text: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def tokens_of(text: str) -> int:
    """What the conversation `say(text)` has: four for the message, one for each four characters begun."""
    return 4 + (len(text) + 3) // 4


def cost(*, input: int, output: int, cached: int = 0) -> Decimal:
    """1 credit for an input token, half for a cached one, 2 for an output token."""
    return Decimal(input - cached) + Decimal(cached) / 2 + Decimal(2 * output)
