"""Server-sent events, as far as OpenAI's streams use them: each event is one piece of data (pure).

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from collections.abc import Iterable, Iterator
from typing import Final

DONE: Final = "[DONE]"
MAX_EVENT_CHARACTERS: Final = 8 * 1024 * 1024  # a picture may come in one; a line without end must not fill the memory


class EventTooLong(ValueError):
    """The stream does not end its events."""


def read_events(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event, from the stream's lines without their ends; comments and other fields are left out."""
    parts: list[str] = []
    size = 0
    for line in lines:
        if not line:
            if parts:
                yield "\n".join(parts)
            parts, size = [], 0
            continue
        name, _, value = line.partition(":")
        if name == "data":
            parts.append(value.removeprefix(" "))
            size += len(value)
        if size > MAX_EVENT_CHARACTERS:
            raise EventTooLong(f"An event is longer than {MAX_EVENT_CHARACTERS} characters.")
    if parts:  # the last event's blank line is missing where the stream just ends
        yield "\n".join(parts)


def write_event(text: str) -> bytes:
    """One event on the wire."""
    return b"".join(b"data: " + line.encode() + b"\n" for line in text.split("\n")) + b"\n"
