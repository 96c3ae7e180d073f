"""What an answer says, for counting where its provider does not (pure)."""

from typing import Any


def texts_of(answer: dict[str, Any], part: str) -> list[str]:
    """What an answer or a piece of one says: texts, refusals, reasoning, speech as text, and the calls of tools.

    `part` is `delta` in a piece, `message` in a whole answer; what is malformed says nothing.
    """
    choices = answer.get("choices")
    said = []
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get(part) if isinstance(choice, dict) else None
        if isinstance(message, dict):
            said += _texts_of_content(message.get("content"))
            said += [message.get("refusal"), message.get("reasoning_content") or message.get("reasoning")]
            said += _texts_of_tools(message.get("tool_calls"))
            said += _texts_of_tools([{"function": message.get("function_call")}])  # how tools were called before
            said += _texts_of_content([message.get("audio")], name="transcript")
    return [text for text in said if isinstance(text, str)]


def _texts_of_content(content: Any, *, name: str = "text") -> list[Any]:
    """A text, or the texts of a list of parts."""
    parts = content if isinstance(content, list) else ()
    return [content, *(part.get(name) for part in parts if isinstance(part, dict))]


def _texts_of_tools(calls: Any) -> list[Any]:
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [
        function.get(name) for function in functions if isinstance(function, dict) for name in ("name", "arguments")
    ]
