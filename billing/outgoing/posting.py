"""One POST to one target: no redirect is followed, no proxy asked, no cookie kept, and nothing waited for for long."""

import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from billing.outgoing.addresses import Target
from billing.outgoing.network import DeliveryFailed, Network

TOTAL_SECONDS: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
EXCERPT_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: a status, or why there is none."""

    status: int | None = None
    excerpt: str = ""
    error: str = ""
    duration_ms: int = 0

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post_message(
    *,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    network: Network | None = None,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Send the body and give the answer within `total_seconds`; whatever goes wrong is an answer, too."""
    started = time.monotonic()
    deadline = started + total_seconds
    status, excerpt, error = None, "", ""
    try:
        with (network or Network()).open(target=target, deadline=deadline) as connection:
            status, excerpt = _exchange(connection, target, headers, body, deadline)
    except DeliveryFailed as failure:
        error = str(failure)
    except TimeoutError:
        error = "It did not answer in time."
    except (OSError, HTTPException, ValueError):
        error = "It ended the connection, or does not speak HTTP."
    return Answer(status=status, excerpt=excerpt, error=error, duration_ms=round((time.monotonic() - started) * 1000))


def _exchange(
    connection: socket.socket, target: Target, headers: Mapping[str, str], body: bytes, deadline: float
) -> tuple[int, str]:
    http = HTTPConnection(target.host, target.port)
    http.sock = _BoundedSocket(connection, deadline)
    own = {"Host": target.host_header, "Content-Type": "application/json", "User-Agent": "Prepaid-Webhooks/1"}
    http.request("POST", target.path, body=body, headers={**own, **headers, "Connection": "close"})
    response = http.getresponse()
    return response.status, _read_excerpt(response)


def _read_excerpt(response: io.BufferedIOBase) -> str:
    """The beginning of the answer; the status counts also where the rest does not come."""
    try:
        begun = response.read(EXCERPT_BYTES)
    except (OSError, HTTPException, ValueError):
        return ""
    return begun.decode("utf-8", errors="replace").replace("\x00", "")


class _BoundedSocket:
    """A socket whose every read and write ends by one deadline, and whose answer ends after `MAX_ANSWER_BYTES`."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline

    def sendall(self, sent: Any) -> None:
        self._connection.settimeout(_left_until(self._deadline))
        self._connection.sendall(sent)

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._connection, self._deadline))

    def close(self) -> None:
        """Whoever has opened the connection closes it."""


class _BoundedReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline, self._room = connection, deadline, MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._room:
            return 0
        self._connection.settimeout(_left_until(self._deadline))
        count = self._connection.recv_into(memoryview(buffer)[: self._room])
        self._room -= count
        return count


def _left_until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
