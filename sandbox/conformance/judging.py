"""What our parsing must read out of what the other side says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sandbox.conformance.account import Difference

T = TypeVar("T")
WAIT_SECONDS, PAUSE_SECONDS = 120.0, 1.0


def expect(facts: object, **values: Any) -> None:
    """Each named fact has its value.

    Raises:
        Difference: names the fact, what was read and what was expected.
    """
    for name, wanted in values.items():
        read = getattr(facts, name)
        if read != wanted:
            raise Difference(f"{type(facts).__name__}.{name} is {read!r}, expected {wanted!r}.")


def expect_that(holds: bool, what: str) -> None:
    """Something that a step relies on.

    Raises:
        Difference: it is not so.
    """
    if not holds:
        raise Difference(what)


def wait_for(read: Callable[[], T | None], what: str) -> T:
    """What `read` gives once it gives anything.

    Raises:
        Difference: it never did.
    """
    until = time.monotonic() + WAIT_SECONDS
    while True:
        if (found := read()) is not None:
            return found
        if time.monotonic() > until:
            raise Difference(f"{what}: not within {WAIT_SECONDS:.0f} seconds.")
        time.sleep(PAUSE_SECONDS)
