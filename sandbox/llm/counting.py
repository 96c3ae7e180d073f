"""How the stand-in counts: four characters begun are a token, and a message has four tokens of its own (pure)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

CHARACTERS_PER_TOKEN: Final = 4
TOKENS_PER_MESSAGE: Final = 4


def count_tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def count_prompt(messages: Iterable[Any]) -> int:
    """Tokens of a conversation: the texts of its messages."""
    return sum(TOKENS_PER_MESSAGE + count_tokens(text_of(message)) for message in messages)


def text_of(message: Any) -> str:
    """The text of a message, whether it is one text or several parts."""
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


def text_of_tokens(count: int) -> str:
    """A text of so many tokens."""
    return "".join(f"w{number % 100:02d} " for number in range(count))
