"""Several processes as one: started together, one log, stopped together, even when their starter is killed."""

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

from honcho.manager import Manager
from honcho.printer import Printer
from honcho.process import Popen, Process

from sandbox.servers import die_with_parent

ENDS_AS_ASKED: Final = (None, 0, 130, 143, -signal.SIGINT, -signal.SIGTERM)


class _TiedPopen(Popen):  # type: ignore[misc]  # honcho has no types
    """A command that gets SIGTERM when the process that reads its output is gone."""

    def __init__(self, command: str, **options: Any) -> None:
        reader = os.getpid()
        super().__init__(command, preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent=reader), **options)


class _TiedProcess(Process):  # type: ignore[misc]  # honcho has no types
    """honcho's reader of one command's output, which is killed together with its manager."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._starter = os.getpid()

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        die_with_parent(signal.SIGKILL, parent=self._starter)
        self._child_ctor = _TiedPopen
        super().run(events, ignore_signals)


class _TiedManager(Manager):  # type: ignore[misc]  # honcho has no types
    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._process_ctor = _TiedProcess


def run_together(*, commands: Mapping[str, Sequence[str]], folder: Path, environment: Mapping[str, str]) -> int:
    """Run commands until one ends or a signal asks to stop; stop the rest; return the exit code for the shell."""
    manager = _TiedManager(Printer(sys.stdout, colour=sys.stdout.isatty()))
    for name, command in commands.items():
        line = f"exec {shlex.join(command)}"  # exec: signals reach the command, not a shell around it
        manager.add_process(name, line, cwd=str(folder), env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"})
    signal.signal(signal.SIGHUP, _stop_politely)  # a closed terminal
    try:
        manager.loop()
    except BaseException:
        manager.kill()  # else Python would wait for the readers for ever
        raise
    return 0 if manager.returncode in ENDS_AS_ASKED else abs(manager.returncode)


def _stop_politely(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)
