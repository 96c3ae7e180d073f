"""What an answer says, for counting where its provider does not (pure)."""

from typing import Any


def texts_of(answer: dict[str, Any], part: str) -> list[str]:
    """What an answer or a piece of one says: texts, refusals, reasoning, and the calls of tools. `part` is `delta`
    in a piece, `message` in a whole answer; what is malformed says nothing.
    """
    choices = answer.get("choices")
    said = []
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get(part) if isinstance(choice, dict) else None
        if isinstance(message, dict):
            said += [message.get(name) for name in ("content", "refusal", "reasoning_content")]
            said += _texts_of_tools(message.get("tool_calls"))
    return [text for text in said if isinstance(text, str)]


def _texts_of_tools(calls: Any) -> list[Any]:
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [
        function.get(name) for function in functions if isinstance(function, dict) for name in ("name", "arguments")
    ]
