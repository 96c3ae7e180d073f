"""The state that everything else works on."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.contract.check import committed_contract
from sandbox.stripe.errors import no_such
from sandbox.stripe.faults import Faults
from sandbox.stripe.records import Resource
from sandbox.stripe.store import Store

_CLOCK_ID = "sandbox_clock"


@dataclass(frozen=True)
class Cause:
    """The request that caused an event, as the event tells it; both are None when nobody asked."""

    request_id: str | None = None
    idempotency_key: str | None = None


class Sandbox:
    """One stand-in: its objects, its clock, its faults, and the breaches of the contract that it saw."""

    def __init__(
        self,
        *,
        state: str = ":memory:",
        base_url: str = "",
        mail_dir: Path | None = None,
        settle_after_seconds: float | None = None,
    ) -> None:
        self.store = Store(state)
        self.contract = committed_contract()
        self.faults = Faults()
        self.breaches: list[str] = []
        self.base_url, self.mail_dir = base_url, mail_dir
        self.settle_after_seconds = settle_after_seconds
        self.form_token = secrets.token_urlsafe(24)
        self.wake_worker: Callable[[], None] = lambda: None
        self.cause = Cause()
        self.step_at = 0.0  # when the step under way began: what happens in one step happens at one time
        self.standing_at: float | None = None  # what the clock shows during a step
        with self.store.unit():
            self.clock_ahead_seconds = float((self.store.get(_CLOCK_ID) or {"ahead_seconds": 0})["ahead_seconds"])
        self._in_flight: set[str] = set()
        self._in_flight_lock = threading.Lock()

    def now(self) -> int:
        """The time in whole seconds, as objects carry it."""
        return int(self.time())

    def time(self) -> float:
        """The time of the sandbox's clock: real time, as far ahead as it was moved; during a step it stands still."""
        return time.time() + self.clock_ahead_seconds if self.standing_at is None else self.standing_at

    def move_clock(self, to: float) -> None:
        """Set the clock, which goes on from there, also after a restart."""
        self.clock_ahead_seconds = to - time.time()
        self.standing_at = None if self.standing_at is None else to
        clock = {"id": _CLOCK_ID, "object": "sandbox.clock", "ahead_seconds": self.clock_ahead_seconds}
        self.store.put(clock)

    def clear(self) -> None:
        """Forget all objects; the clock shows real time again."""
        self.store.clear()
        self.clock_ahead_seconds = 0.0

    @contextmanager
    def work(self, cause: Cause | None = None) -> Iterator[None]:
        """Do the work inside as one step; its events name ``cause``, and leave when the step is done."""
        with self.store.unit():
            outer, self.cause = self.cause, cause or self.cause
            is_outermost = self.standing_at is None
            self.step_at, self.standing_at = time.time(), self.time()
            try:
                yield
            finally:
                self.cause = outer
                if is_outermost:
                    self.standing_at = None
            must_wake, self.store.has_new_due = self.store.has_new_due, False
        if must_wake:
            self.wake_worker()

    def require(self, kind: str, resource_id: str, *, param: str | None = None) -> Resource:
        """The object with this id; an id from a parameter (``param``) that nothing has is a 400, else a 404."""
        resource = self.store.get(resource_id, kind=kind)
        if resource is None:
            raise no_such(kind.replace(".", " "), resource_id, param=param or "id", status=400 if param else 404)
        return resource

    def record_breaches(self, source: str, breaches: list[str]) -> None:
        """Remember where the contract was broken."""
        self.breaches += [f"{source}: {breach}" for breach in breaches]

    @contextmanager
    def in_flight(self, key: str | None) -> Iterator[bool]:
        """Mark an idempotency key as being worked on; gives False when it already is."""
        with self._in_flight_lock:
            is_first = key is None or key not in self._in_flight
            if is_first and key is not None:
                self._in_flight.add(key)
        try:
            yield is_first
        finally:
            if is_first and key is not None:
                with self._in_flight_lock:
                    self._in_flight.discard(key)
