"""Embeddings, images and the list of models, from the request alone (pure)."""

import base64
import struct
from hashlib import sha256
from typing import Any, Final

from sandbox.llm.answers import CREATED, report_usage
from sandbox.llm.counting import count_tokens
from sandbox.llm.wishes import Wishes

DEFAULT_DIMENSIONS: Final = 8
MODELS: Final = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "text-embedding-3-small", "gpt-image-1")
# A picture of one grey point.
_PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGOoBwAAgQCA3kKeLwAAAABJRU5ErkJggg=="


def answer_embeddings(body: dict[str, Any], *, wishes: Wishes) -> dict[str, Any]:
    """A vector for each input; which one depends on the input alone."""
    given = body["input"]
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    size = body.get("dimensions") or DEFAULT_DIMENSIONS
    is_packed = body.get("encoding_format") == "base64"
    vectors = [_vector(str(text), size=size) for text in inputs]
    usage = report_usage(prompt=sum(_count(text) for text in inputs), completion=0, wishes=wishes)
    answer = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _pack(vector) if is_packed else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": body["model"],
    }
    if usage is None:
        return answer
    return {**answer, "usage": {"prompt_tokens": usage["prompt_tokens"], "total_tokens": usage["total_tokens"]}}


def answer_images(body: dict[str, Any], *, wishes: Wishes) -> dict[str, Any]:
    """As many pictures as were asked for, or fewer: `[write 1 tokens]`."""
    count = body.get("n") or 1
    if wishes.tokens is not None:
        count = min(count, wishes.tokens)
    return {"created": CREATED, "data": [{"b64_json": _PICTURE, "revised_prompt": body["prompt"]}] * count}


def list_models() -> dict[str, Any]:
    rows = [{"id": name, "object": "model", "created": CREATED, "owned_by": "sandbox"} for name in MODELS]
    return {"object": "list", "data": rows}


def _count(text: Any) -> int:
    return len(text) if isinstance(text, list) else count_tokens(str(text))


def _vector(text: str, *, size: int) -> list[float]:
    return [sha256(f"{number}:{text}".encode()).digest()[0] / 256 for number in range(size)]


def _pack(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
