"""One POST to one target: no redirect is followed, no proxy asked, no cookie kept, and nothing waited for for long."""

import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from billing.outgoing.addresses import Target
from billing.outgoing.network import DeliveryFailed, Network

TOTAL_SECONDS: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
EXCERPT_BYTES: Final = 1024
_LONGEST_NUMBER: Final = 9  # digits; some decades of seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: a status, or why there is none."""

    status: int | None = None
    excerpt: str = ""
    error: str = ""
    duration_ms: int = 0
    retry_after_seconds: int = 0  # how long the receiver wants to be left alone; 0: it does not say

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
    try:
        with (network or Network()).open(target=target, deadline=deadline) as connection:
            answer = _exchange(connection, target, headers, body, deadline)
    except DeliveryFailed as failure:
        answer = Answer(error=str(failure))
    except TimeoutError:
        answer = Answer(error="It did not answer in time.")
    except (OSError, HTTPException, ValueError):
        answer = Answer(error="It ended the connection, or does not speak HTTP.")
    return replace(answer, duration_ms=round((time.monotonic() - started) * 1000))


def _exchange(
    connection: socket.socket, target: Target, headers: Mapping[str, str], body: bytes, deadline: float
) -> Answer:
    http = HTTPConnection(target.host, target.port)
    http.sock = _BoundedSocket(connection, deadline)
    own = {"Host": target.host_header, "Content-Type": "application/json", "User-Agent": "Prepaid-Webhooks/1"}
    http.request("POST", target.path, body=body, headers={**own, **headers, "Connection": "close"})
    response = http.getresponse()
    wish = read_retry_after(response.getheader("Retry-After", ""), now=datetime.now(UTC))
    return Answer(status=response.status, excerpt=_read_excerpt(response), retry_after_seconds=wish)


def read_retry_after(value: str, *, now: datetime) -> int:
    """Seconds from now until the time of a header Retry-After, a number or a date (RFC 9110, 10.2.3); else 0."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text[:_LONGEST_NUMBER])
    try:
        moment = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):  # no date, or none that is one in UTC: whoever answers may write anything
        return 0
    return max(0, round((moment - now).total_seconds()))


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
