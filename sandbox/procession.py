"""Several processes as one: started together, one log, stopped together, even when their starter is killed."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

from sandbox.servers import die_with_parent

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS: Final = 8.0
LINGER_SECONDS: Final = 1.0
LIVED_SECONDS: Final = 10.0  # who ends sooner would end again


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """How one process is started."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


class Procession:
    """The running processes by name. Each is a session of its own, so that a terminal's Ctrl-C reaches only us."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._members: dict[str, Member] = {}
        self._started_at: dict[str, float] = {}
        self._rest: dict[str, bytes] = {}
        self._is_asked_to_stop = False
        self._selector = selectors.DefaultSelector()
        for number in STOPPING:
            signal.signal(number, self._ask_to_stop)

    def start(self, member: Member) -> None:
        """Start one process; it gets SIGTERM when we are killed."""
        starter, name = os.getpid(), member.name
        process = subprocess.Popen(
            member.command,
            cwd=member.folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **member.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent=starter),
        )
        self._running[name], self._rest[name] = process, b""
        self._members[name], self._started_at[name] = member, time.monotonic()
        if process.stdout:
            self._selector.register(process.stdout, selectors.EVENT_READ, name)

    def run(self) -> int:
        """Write the log until a signal comes, then stop all. Returns a shell's exit code.

        A process that ends is started again, as an operator's platform would; one that ends soon after its start
        would end again, so it stops all.
        """
        code = 0
        while not self._is_asked_to_stop:
            if ended := self._find_ended():
                name, code = ended
                if time.monotonic() - self._started_at[name] < LIVED_SECONDS:
                    self._write("system", f"{name} ended with {code}, stopping the others")
                    break
                self._write("system", f"{name} ended with {code}, starting it again")
                self._start_again(name)
                code = 0
            self._copy_lines()
        self.stop()
        return abs(code)

    def stop(self) -> None:
        """Ask all to end, wait, and kill what did not."""
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._selector.get_map() and time.monotonic() < deadline:
            self._copy_lines()
            if all(process.poll() is not None for process in self._running.values()):
                deadline = min(deadline, time.monotonic() + LINGER_SECONDS)  # children of theirs may still write
        self._signal_all(signal.SIGKILL)
        for process in self._running.values():
            process.wait()

    def _start_again(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._running[name].pid, signal.SIGKILL)  # children that outlived it
        self.start(self._members[name])

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._is_asked_to_stop = True

    def _find_ended(self) -> tuple[str, int] | None:
        codes = ((name, process.poll()) for name, process in self._running.items())
        return next(((name, code) for name, code in codes if code is not None), None)

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    def _copy_lines(self) -> None:
        for key, _ in self._selector.select(timeout=0.1):
            name, chunk = key.data, os.read(key.fd, 65536)
            *lines, self._rest[name] = (self._rest[name] + chunk).split(b"\n")
            if not chunk:
                self._selector.unregister(key.fileobj)
                lines = [rest] if (rest := self._rest[name]) else []
            for line in lines:
                self._write(name, line.decode(errors="replace"))

    def _write(self, name: str, line: str) -> None:
        try:
            sys.stdout.write(f"{datetime.now():%H:%M:%S} {name:<8} | {line}\n")  # noqa: DTZ005  # a developer's clock
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read the log is gone
            self._is_asked_to_stop = True


def run_together(
    *,
    commands: Mapping[str, Sequence[str]],
    folder: Path,
    environment: Mapping[str, str],
    when_started: Callable[[], None] | None = None,
) -> int:
    """Run commands until a signal asks to stop or one cannot run; return the exit code for the shell."""
    procession = Procession()
    try:
        for name, command in commands.items():
            procession.start(Member(name=name, command=command, folder=folder, environment=environment))
        if when_started:
            when_started()
        return procession.run()
    except BaseException:
        procession.stop()
        raise
