"""A bar that shows how far a command has come, on a terminal only."""

import sys
from typing import TextIO

_WIDTH = 24


class ProgressBar:
    """One line on the terminal of errors, drawn over and over; silent where that is a file or a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_shown = self._stream.isatty()
        self._last = ""

    def draw(self, *, label: str, share: float, note: str) -> None:
        """Show the share (0 to 1) of a step that is done."""
        filled = round(_WIDTH * share)
        line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {share:4.0%} {label}: {note}"
        if self._is_shown and line != self._last:
            self._stream.write(f"\r\033[K{line}")
            self._stream.flush()
            self._last = line

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._is_shown and self._last:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._last = ""
