"""What a provider says that a call used (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from billing.usage_cost import Tokens

MAX_TOKENS: Final = 10**9  # of one call; a provider that says more is not believed

# Chat completions and embeddings say it one way, responses and images the other
# (https://platform.openai.com/docs/api-reference/chat/object, …/responses/object).
_INPUT: Final = ("prompt_tokens", "input_tokens")
_OUTPUT: Final = ("completion_tokens", "output_tokens")
_INPUT_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details")


def tokens_of_usage(usage: object) -> Tokens | None:
    """The tokens that a provider's `usage` reports; None where it reports none, so that the caller counts itself.

    `usage` is the JSON object of OpenAI's API, the official client's object of it, or `Tokens`. An explicit zero is
    zero. What is no count (null, negative, a text) counts as not reported, and cached tokens are at most all of the
    input: the work is done, so a provider's slip must not stop the settlement.
    """
    if isinstance(usage, Tokens):
        return usage
    reported = _mapping(usage)
    if reported is None:
        return None
    input_tokens, output_tokens = _first_count(reported, _INPUT), _first_count(reported, _OUTPUT)
    if input_tokens is None and output_tokens is None:
        return None
    whole_input = input_tokens or 0
    return Tokens(input=whole_input, cached=min(_cached(reported), whole_input), output=output_tokens or 0)


def _cached(reported: Mapping[str, Any]) -> int:
    for name in _INPUT_DETAILS:
        if (details := _mapping(reported.get(name))) is not None:
            return _first_count(details, ("cached_tokens",)) or 0
    return 0


def _mapping(value: object) -> Mapping[str, Any] | None:
    """A JSON object as it is, an object of the client's (pydantic) as its fields."""
    if isinstance(value, Mapping):
        return value
    dump = getattr(value, "model_dump", None)
    dumped = dump() if callable(dump) else None
    return dumped if isinstance(dumped, Mapping) else None


def _first_count(fields: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
            return value
    return None
