"""What can be made to go wrong on purpose."""

import random
import threading
from dataclasses import dataclass
from typing import Literal, TypeAlias

FaultKind: TypeAlias = Literal["error", "rate_limit", "slow", "lost_response", "dropped_connection", "timeout"]


@dataclass
class Fault:
    """One thing that goes wrong with the next requests that match.

    error: 500 and nothing is done. rate_limit: 429 and nothing is done. slow: waits ``seconds``, then works.
    lost_response: the work is done, but the answer is a 500. dropped_connection: the work is done, and the
    connection closes without an answer. timeout: the work is done, and the answer comes ``seconds`` later.
    """

    kind: FaultKind
    method: str = ""
    path: str = ""
    times: int = 1
    seconds: float = 0.0

    def matches(self, *, method: str, path: str) -> bool:
        """Whether it strikes this request: an empty method or path means any; a path is a prefix."""
        return self.method.upper() in ("", method) and path.startswith(self.path)


class Faults:
    """The faults that are set, safe to use from several threads."""

    def __init__(self, *, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._chance = random.Random(seed)
        self.failing_reads_percent = 0.0

    def add(self, fault: Fault) -> None:
        """Let this go wrong with the next requests that match."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._waiting.clear()
            self.failing_reads_percent = 0.0

    def take(self, *, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, if one does; each strikes as often as it says."""
        with self._lock:
            for fault in self._waiting:
                if fault.matches(method=method, path=path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
            if method == "GET" and self._chance.random() * 100 < self.failing_reads_percent:
                return Fault("error")
        return None
