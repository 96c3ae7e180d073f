from typing import Any

import pytest
from openai.types import CompletionUsage
from openai.types.completion_usage import PromptTokensDetails

from billing.usage_cost import Tokens
from usage.services.reported_usage import MAX_TOKENS, tokens_of_usage


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, Tokens(input=9, output=4)),
        (
            {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}},
            Tokens(input=9, cached=5, output=4),
        ),
        (
            {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 5}},
            Tokens(input=9, cached=5, output=4),
        ),
        ({"prompt_tokens": 9, "total_tokens": 9}, Tokens(input=9)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None}, Tokens(input=9, output=4)),
        (Tokens(input=3, output=2), Tokens(input=3, output=2)),
    ],
)
def test_every_way_to_report_gives_the_same_counts(usage: object, tokens: Tokens) -> None:
    assert tokens_of_usage(usage) == tokens


def test_official_client_s_object_is_read() -> None:
    usage = CompletionUsage(
        prompt_tokens=9,
        completion_tokens=4,
        total_tokens=13,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=6),
    )

    assert tokens_of_usage(usage) == Tokens(input=9, cached=6, output=4)


def test_explicit_zero_is_zero_and_not_missing() -> None:
    assert tokens_of_usage({"prompt_tokens": 0, "completion_tokens": 0}) == Tokens()


@pytest.mark.parametrize("usage", [None, {}, [], "12", 12, {"total_tokens": 13}, {"prompt_tokens": None}])
def test_nothing_reported_is_not_zero(usage: object) -> None:
    assert tokens_of_usage(usage) is None


@pytest.mark.parametrize("count", [-1, True, "7", 7.5, MAX_TOKENS + 1])
def test_what_is_no_count_is_not_reported(count: Any) -> None:
    assert tokens_of_usage({"prompt_tokens": count}) is None
    assert tokens_of_usage({"prompt_tokens": MAX_TOKENS, "completion_tokens": count}) == Tokens(input=MAX_TOKENS)


def test_more_cached_than_read_is_all_of_the_input() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 8}}

    assert tokens_of_usage(usage) == Tokens(input=5, cached=5, output=1)
