"""Server-sent events, as far as OpenAI's streams use them: each event is one piece of data (pure).

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from collections.abc import Iterable, Iterator
from typing import Final

DONE: Final = "[DONE]"
MAX_EVENT_BYTES: Final = 8 * 1024 * 1024  # a picture may come in one; a line without end must not fill the memory


class EventTooLong(ValueError):
    """The stream does not end its events."""


def split_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream that comes in pieces, without their ends.

    Raises:
        EventTooLong: a line does not end.
    """
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")  # JSON may have other separators of lines in it, as they are
        if len(rest) > MAX_EVENT_BYTES:
            raise EventTooLong(f"A line is longer than {MAX_EVENT_BYTES} bytes.")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", errors="replace")
    if rest:
        yield rest.decode("utf-8", errors="replace")


def read_events(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event, from the stream's lines; comments and other fields are left out."""
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
        if size > MAX_EVENT_BYTES:
            raise EventTooLong(f"An event is longer than {MAX_EVENT_BYTES} bytes.")
    if parts:  # the last event's blank line is missing where the stream just ends
        yield "\n".join(parts)


def write_event(text: str) -> bytes:
    """One event on the wire."""
    return b"".join(b"data: " + line.encode() + b"\n" for line in text.split("\n")) + b"\n"
