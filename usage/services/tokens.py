"""How many tokens a text will be, before a provider has said so."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from usage import conf

CHARACTERS_PER_TOKEN: Final = 4
TOKENS_PER_IMAGE: Final = 1100  # one in high detail, https://platform.openai.com/docs/guides/images-vision
_TOKENS_PER_MESSAGE: Final = 4  # role and separators


def count_tokens(text: str, *, model: str) -> int:
    """Tokens of a text: by the installation's tokenizer, else a token for each four characters begun."""
    tokenizer = conf.tokenizer()
    return tokenizer(text, model) if tokenizer else -(-len(text) // CHARACTERS_PER_TOKEN)


def count_message_tokens(messages: Iterable[Any] | str, *, model: str, tools: Any = None) -> int:
    """Tokens of a conversation as OpenAI's API takes it, with its tools; an image is `TOKENS_PER_IMAGE`.

    A text is a conversation of one message. Messages may be JSON objects or the official client's objects of them.
    """
    total = count_tokens(json.dumps(tools, ensure_ascii=False, default=str), model=model) if tools else 0
    for message in [messages] if isinstance(messages, str) else messages:
        total += _TOKENS_PER_MESSAGE + _count_content(message, model=model)
    return total


def _count_content(message: Any, *, model: str) -> int:
    if callable(dump := getattr(message, "model_dump", None)):
        message = dump(exclude_none=True)
    if not isinstance(message, Mapping):
        return count_tokens(str(message), model=model)
    content = message.get("content")
    rest = {name: part for name, part in message.items() if name not in ("content", "role")}
    total = count_tokens(json.dumps(rest, ensure_ascii=False, default=str), model=model) if rest else 0
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, Mapping) and part.get("type") in ("image_url", "input_image", "image"):
            total += TOKENS_PER_IMAGE
        elif isinstance(part, Mapping):
            total += _count_part(part, model=model)
        elif part is not None:
            total += count_tokens(str(part), model=model)
    return total


def _count_part(part: Mapping[str, Any], *, model: str) -> int:
    """A part of a message: its text, and whatever else it carries, such as a file."""
    rest = {name: value for name, value in part.items() if name not in ("type", "text")}
    total = count_tokens(json.dumps(rest, ensure_ascii=False, default=str), model=model) if rest else 0
    return total + (count_tokens(str(part["text"]), model=model) if "text" in part else 0)
