"""Clients that keep their connection and ask as fast as they are answered."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Load:
    """What some clients saw together. An operation may be several requests; its time is that of all."""

    per_second: float
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float

    def __str__(self) -> str:
        times = f"{self.p50_milliseconds:.0f} / {self.p95_milliseconds:.0f} / {self.p99_milliseconds:.0f} ms"
        return f"{self.per_second:,.0f}/s, {times}"


class Client:
    """One connection to the server, with a key of its own."""

    def __init__(self, *, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, Any], *, name: str = "", status: int = 201) -> dict[str, Any]:
        """The answer.

        Raises:
            RuntimeError: it has another status.
        """
        headers = {**self._headers, "Idempotency-Key": name} if name else self._headers
        self._connection.request("POST", path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != status:
            raise RuntimeError(f"{path} answered {answer.status}: {text[:300]!r}")
        parsed: dict[str, Any] = json.loads(text)
        return parsed

    def close(self) -> None:
        self._connection.close()


def run_clients(
    *, port: int, keys: Sequence[str], seconds: float, operation: Callable[[Client, int, int], float | None]
) -> Load:
    """Let one client for each key repeat `operation(client, client's number, round)` for some seconds.

    An operation may give the seconds of it that are not to be counted.
    """
    times: list[list[float]] = [[] for _ in keys]
    failures: list[Exception] = []
    start = time.perf_counter()

    def work(number: int) -> None:
        client = Client(port=port, key=keys[number])
        try:
            while (before := time.perf_counter()) - start < seconds:
                uncounted = operation(client, number, len(times[number])) or 0.0
                times[number].append(time.perf_counter() - before - uncounted)
        except Exception as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(keys))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    elapsed = time.perf_counter() - start
    milliseconds = sorted(one * 1000 for several in times for one in several)
    return Load(
        len(milliseconds) / elapsed, *(milliseconds[int(len(milliseconds) * part)] for part in (0.5, 0.95, 0.99))
    )
