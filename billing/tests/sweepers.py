"""Sweepers as real processes that begin at once and can be killed; see `sweeper_nursery`."""

import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.utils import timezone

from billing.tests.processes import running_command, wait_until


class Sweeper:
    """One process. It has not begun yet."""

    def __init__(self, connection: socket.socket, *, order: Mapping[str, object]) -> None:
        self._connection, self._lines = connection, connection.makefile()
        self._tell(json.dumps(dict(order)))
        self.pid = int(self._lines.readline())

    def begin(self) -> "Sweeper":
        self._tell("begin")
        return self

    def kill(self) -> None:
        """End it as the kernel does where memory is short; afterwards it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait_until_killed()

    def wait_until_killed(self) -> None:
        assert self._wait() == ""

    def wait_until_done(self) -> None:
        assert self._wait() == "done\n"

    def _wait(self) -> str:
        """What it said last. Its end of the connection is closed when it is gone."""
        with self._connection:
            return "".join(self._lines.readlines())

    def _tell(self, line: str) -> None:
        self._connection.sendall(f"{line}\n".encode())


class Nursery:
    """Where sweepers come from. Their clock shows what the test's shows when they are made."""

    def __init__(self, path: Path) -> None:
        self._path, self.is_taxed = path, False

    def make(self, *, interval: float = 0, task_of: int = 0) -> Sweeper:
        """A sweeper of one round, or one that goes on; or what the task does that a customer's spending wakes."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(str(self._path))
        order = {"now": timezone.now().timestamp(), "interval": interval, "task_of": task_of, "is_taxed": self.is_taxed}
        return Sweeper(connection, order=order)

    def sweep(self, *, count: int = 1) -> None:
        """One round, by so many at the same time."""
        sweepers = [self.make() for _ in range(count)]
        for sweeper in sweepers:
            sweeper.begin()
        for sweeper in sweepers:
            sweeper.wait_until_done()


@contextmanager
def running_nursery(*, redis_url: str, stripe_api_base: str) -> Iterator[Nursery]:
    """Its sweepers work on this test's database. Its folder has a short name, because a socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="prepaid-nursery-") as directory:
        path = Path(directory) / "socket"
        command = ("-m", "billing.tests.sweeper_nursery", str(path))
        with running_command(*command, redis_url=redis_url, stripe_api_base=stripe_api_base):
            wait_until(path.exists, seconds=60)
            yield Nursery(path)
