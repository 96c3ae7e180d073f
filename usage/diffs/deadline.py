"""A time by which reading a diff must have ended."""

import time

from usage.diffs.refusals import DiffRefused, Reason


class Deadline:
    """So many seconds from now, of a clock that nobody sets back."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    def check(self) -> None:
        """Go on while there is time.

        Raises:
            DiffRefused: there is none left.
        """
        if time.monotonic() >= self._ends:
            raise DiffRefused(
                reason=Reason.TOOK_TOO_LONG,
                field="commit",
                fault=f"reading it took longer than {self.seconds:g} seconds",
                remedy="Try again later, or paste the diff.",
            )
