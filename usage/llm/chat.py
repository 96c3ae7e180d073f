"""One question and its answer, for jobs of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usage.llm.client import post_json
from usage.llm.failures import UpstreamDown
from usage.llm.providers import find_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """What a model said. `usage` is what the provider reports, as `tokens_of_usage` reads it; None where nothing."""

    text: str
    usage: Mapping[str, Any] | None
    finish_reason: str


def complete_chat(
    *, model: str, messages: Sequence[Mapping[str, Any]], provider: str = "", **options: Any
) -> ChatAnswer:
    """Ask a model once. `provider` is the one that the model's price names; `options` such as `max_tokens` go along.

    Raises:
        UpstreamRefused, UpstreamDown, UpstreamTimeout: there is no answer; the call is to be given up.
    """
    answer = post_json(
        provider=find_provider(provider),
        path="/chat/completions",
        body={"model": model, "messages": list(messages), **options},
    )
    try:
        choice = answer["choices"][0]
        text = choice["message"].get("content") or ""
        usage = answer.get("usage")
    except (LookupError, TypeError, AttributeError) as error:
        raise UpstreamDown("malformed_answer", "The answer is no chat completion.") from error
    return ChatAnswer(
        text=str(text),
        usage=usage if isinstance(usage, Mapping) else None,
        finish_reason=str(choice.get("finish_reason") or ""),
    )
