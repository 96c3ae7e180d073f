"""What the stand-in for language models says, from the request alone."""

import json
from typing import Any

import pytest

from sandbox.llm.answers import answer_chat, write_completion, write_pieces
from sandbox.llm.counting import count_tokens, text_of_tokens
from sandbox.llm.diffs import summarise_diff
from sandbox.llm.examples import example_of
from sandbox.llm.objects import answer_embeddings, answer_images
from sandbox.llm.wishes import Wishes, read_wishes

DIFF = """diff --git a/app/money.py b/app/money.py
--- a/app/money.py
+++ b/app/money.py
@@ -1,2 +1,3 @@
-old = 1
+new = 1
+more = 2
diff --git a/README.md b/README.md
--- a/README.md
+++ b/README.md
@@ -1 +1 @@
+A line
"""


def ask(text: str, **fields: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return write_completion(answer_chat(body, wishes=read_wishes(text)))


def test_same_request_has_the_same_answer() -> None:
    assert ask("Hello", seed=1) == ask("Hello", seed=1)
    assert ask("Hello", seed=1)["id"] != ask("Hello", seed=2)["id"]


@pytest.mark.parametrize("count", [0, 1, 2, 64, 65, 300])
def test_answer_has_as_many_tokens_as_were_wished_for(count: int) -> None:
    answer = ask(f"[write {count} tokens]")

    assert answer["usage"]["completion_tokens"] == count == count_tokens(text_of_tokens(count))
    assert answer["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_answer_is_no_longer_than_its_limit(name: str) -> None:
    answer = ask("[write 50 tokens]", **{name: 20})

    assert answer["usage"]["completion_tokens"] == 20
    assert answer["choices"][0]["finish_reason"] == "length"


def test_usage_is_told_as_wished() -> None:
    assert ask("[cached 5 tokens]")["usage"]["prompt_tokens_details"] == {"cached_tokens": 5}
    assert ask("[cached 500 tokens]")["usage"]["prompt_tokens_details"] == {"cached_tokens": 9}  # all of the prompt
    assert ask("[report zero]")["usage"]["total_tokens"] == 0
    assert "usage" not in ask("[report nothing]")


@pytest.mark.parametrize("text", ["[write 7 tokens]", "[write 200 tokens]", "Hello there"])
def test_pieces_say_together_what_the_whole_says(text: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "n": 2}
    chat = answer_chat(body, wishes=read_wishes(text))
    whole = write_completion(chat)

    pieces = list(write_pieces(chat, tells_usage=True))

    for index in (0, 1):
        said = [
            piece["choices"][0] for _, piece in pieces if piece["choices"] and piece["choices"][0]["index"] == index
        ]
        assert "".join(choice["delta"].get("content", "") for choice in said) == chat.text
        assert said[-1]["finish_reason"] == "stop"
    assert sum(tokens for tokens, _ in pieces) == whole["usage"]["completion_tokens"]
    assert (pieces[-1][1]["choices"], pieces[-1][1]["usage"]) == ([], whole["usage"])


def test_diff_is_summarised_by_its_files() -> None:
    said = ask(f"Change: money\n\n{DIFF}")["choices"][0]["message"]["content"]

    assert said.splitlines() == [
        "This change touches 2 files, with 3 lines added and 1 removed.",
        "- app/money.py: 2 lines added, 1 removed.",
        "- README.md: 1 lines added, 0 removed.",
    ]
    assert summarise_diff("no diff at all") is None


def test_value_fits_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "unit": {"enum": ["C", "F"]},
            "days": {"type": "array", "items": {"type": "integer"}},
            "note": {"type": ["string", "null"]},
            "either": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        },
    }

    assert example_of(schema) == {"unit": "C", "days": [1], "note": "sandbox", "either": True}


def test_tools_are_called_when_they_are_asked_for() -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "ab"]

    def called(text: str, **fields: Any) -> str | None:
        calls = ask(text, tools=tools, **fields)["choices"][0]["message"].get("tool_calls")
        return calls[0]["function"]["name"] if calls else None

    assert called("Hello") is None
    assert called("[call b]") == "b"
    assert called("Hello", tool_choice="required") == "a"
    assert called("Hello", tool_choice={"type": "function", "function": {"name": "b"}}) == "b"
    assert called("[call b]", tool_choice="none") is None


def test_json_is_answered_where_json_is_asked_for() -> None:
    answer = ask("Hello", response_format={"type": "json_object"})

    assert json.loads(answer["choices"][0]["message"]["content"]) == {"answer": "Hello"}


def test_embeddings_and_images_are_as_many_as_were_asked_for() -> None:
    nothing = Wishes()
    one = answer_embeddings({"model": "m", "input": "Hello", "dimensions": 3}, wishes=nothing)
    two = answer_embeddings({"model": "m", "input": ["Hello", "There"], "dimensions": 3}, wishes=nothing)

    assert len(one["data"][0]["embedding"]) == 3
    assert two["data"][0] == one["data"][0]
    assert two["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert len(answer_images({"prompt": "A cat", "n": 2}, wishes=nothing)["data"]) == 2
