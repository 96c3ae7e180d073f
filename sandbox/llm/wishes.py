"""What a prompt asks the stand-in itself, in brackets: `[write 20 tokens] [pause 5 ms]` (pure)."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to answer; None or False where the prompt says nothing of it."""

    tokens: int | None = None  # [write 20 tokens], as far as the request's limit goes
    cached: int = 0  # [cached 100 tokens]: so many of the prompt's count as cached
    wait_ms: int = 0  # [wait 50 ms] before the answer begins
    pause_ms: int = 0  # [pause 5 ms] between the pieces of a stream
    fail: int | None = None  # [fail 500]: the status of an error
    break_after: int | None = None  # [break after 3 tokens]: the connection is cut; 0 is before anything is said
    gate_after: int | None = None  # [gate after 3 tokens]: go on when the gate is opened, see the server's levers
    reports_zero: bool = False  # [report zero]
    reports_nothing: bool = False  # [report nothing]
    hangs: bool = False  # [hang]: never answer
    tool: str = ""  # [call get_weather]


def read_wishes(text: str) -> Wishes:
    """The wishes in a text; what is none of them is just text."""

    def number(pattern: str) -> int | None:
        found = re.search(rf"\[{pattern}\]", text)
        return int(found[1]) if found else None

    tool = re.search(r"\[call ([\w-]+)\]", text)
    return Wishes(
        tokens=number(r"write (\d+) tokens?"),
        cached=number(r"cached (\d+) tokens?") or 0,
        wait_ms=number(r"wait (\d+) ms") or 0,
        pause_ms=number(r"pause (\d+) ms") or 0,
        fail=number(r"fail ([45]\d\d)"),
        break_after=number(r"break after (\d+) tokens?"),
        gate_after=number(r"gate after (\d+) tokens?"),
        reports_zero="[report zero]" in text,
        reports_nothing="[report nothing]" in text,
        hangs="[hang]" in text,
        tool=tool[1] if tool else "",
    )
