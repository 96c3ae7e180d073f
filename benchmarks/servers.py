"""Servers that a benchmark needs: started on free ports, stopped when it is over."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

PATIENCE_SECONDS = 30


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*, commands: Sequence[list[str]], environment: Mapping[str, str], ready_url: str) -> Iterator[None]:
    """Run commands until the block ends; it begins when the address answers."""
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        _wait_until_served(ready_url)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=PATIENCE_SECONDS)


def _wait_until_served(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
