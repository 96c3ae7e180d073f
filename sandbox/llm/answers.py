"""Chat completions, from the request alone: the same request has the same answer (pure).

https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sandbox.llm.counting import CHARACTERS_PER_TOKEN, count_prompt, count_tokens, text_of, text_of_tokens
from sandbox.llm.diffs import summarise_diff
from sandbox.llm.examples import example_of
from sandbox.llm.wishes import Wishes

CREATED: Final = 1_700_000_000  # always the same, like everything here
MAX_PIECES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A completion before it is written as JSON. With a `tool` the text is the tool's arguments."""

    id: str
    model: str
    text: str
    tool: str
    finish_reason: str
    answers: int
    usage: dict[str, Any] | None


def answer_chat(body: dict[str, Any], *, wishes: Wishes) -> Chat:
    """The answer to a request."""
    messages = body["messages"]
    tool = _wanted_tool(body, wishes=wishes)
    text = json.dumps(_arguments(tool)) if tool else _text(body, wishes=wishes)
    limit: int | None = body.get("max_completion_tokens") or body.get("max_tokens")
    whole = len(text)
    if limit is not None:
        text = text[: limit * CHARACTERS_PER_TOKEN]
    answers = int(body.get("n") or 1)
    reason = "length" if len(text) < whole else "tool_calls" if tool else "stop"
    return Chat(
        id="chatcmpl-" + sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24],
        model=str(body["model"]),
        text=text,
        tool=tool["name"] if tool else "",
        finish_reason=reason,
        answers=answers,
        usage=report_usage(prompt=count_prompt(messages), completion=count_tokens(text) * answers, wishes=wishes),
    )


def report_usage(*, prompt: int, completion: int, wishes: Wishes) -> dict[str, Any] | None:
    """The usage of a completion as the wishes have it told."""
    if wishes.reports_nothing:
        return None
    if wishes.reports_zero:
        prompt = completion = 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(wishes.cached, prompt)},
    }


def write_completion(chat: Chat) -> dict[str, Any]:
    """The completion as one object."""
    message: dict[str, Any] = {"role": "assistant", "content": None if chat.tool else chat.text}
    if chat.tool:
        message["tool_calls"] = [_tool_call(chat)]
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": chat.finish_reason}
        for index in range(chat.answers)
    ]
    answer = {**_frame(chat, "chat.completion"), "choices": choices}
    return answer if chat.usage is None else {**answer, "usage": chat.usage}


def write_pieces(chat: Chat, *, tells_usage: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """The completion as chunks, each with the number of tokens that it says."""
    for index in range(chat.answers):
        yield 0, _piece(chat, index=index, delta=_opening(chat))
        for part in _parts(chat.text):
            yield count_tokens(part), _piece(chat, index=index, delta=_delta(chat, part))
        yield 0, _piece(chat, index=index, delta={}, finish_reason=chat.finish_reason)
    if tells_usage and chat.usage is not None:
        yield 0, {**_frame(chat, "chat.completion.chunk"), "choices": [], "usage": chat.usage}


def _text(body: dict[str, Any], *, wishes: Wishes) -> str:
    if wishes.tokens is not None:
        return text_of_tokens(wishes.tokens)
    shape = body.get("response_format") or {}
    if shape.get("type") == "json_schema":
        return json.dumps(example_of(shape.get("json_schema", {}).get("schema", {})))
    last = text_of(body["messages"][-1])
    if shape.get("type") == "json_object":
        return json.dumps({"answer": last})
    return summarise_diff(last) or f"You said: {last}"


def _wanted_tool(body: dict[str, Any], *, wishes: Wishes) -> dict[str, Any] | None:
    """The function to call: asked for by the request's `tool_choice`, or by a wish that names it."""
    functions: list[dict[str, Any]] = [
        tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"
    ]
    choice = body.get("tool_choice", "auto")
    if not functions or choice == "none" or body["messages"][-1].get("role") == "tool":
        return None
    if choice == "required":
        return functions[0]
    name = choice["function"]["name"] if isinstance(choice, dict) else wishes.tool
    return next((function for function in functions if function["name"] == name), None)


def _arguments(tool: dict[str, Any]) -> Any:
    return example_of(tool.get("parameters") or {"type": "object"})


def _parts(text: str) -> Iterator[str]:
    size = CHARACTERS_PER_TOKEN * max(1, -(-count_tokens(text) // MAX_PIECES))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _opening(chat: Chat) -> dict[str, Any]:
    if not chat.tool:
        return {"role": "assistant", "content": ""}
    return {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_tool_call(chat, arguments="")}]}


def _delta(chat: Chat, part: str) -> dict[str, Any]:
    if not chat.tool:
        return {"content": part}
    return {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}


def _tool_call(chat: Chat, *, arguments: str | None = None) -> dict[str, Any]:
    function = {"name": chat.tool, "arguments": chat.text if arguments is None else arguments}
    return {"id": "call_" + chat.id[-12:], "type": "function", "function": function}


def _piece(chat: Chat, *, index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**_frame(chat, "chat.completion.chunk"), "choices": [choice]}


def _frame(chat: Chat, kind: str) -> dict[str, Any]:
    return {"id": chat.id, "object": kind, "created": CREATED, "model": chat.model, "system_fingerprint": "fp_sandbox"}
