"""A way to Stripe that is watched: what is asked there is noted, and at a chosen moment of a call something happens."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal
from urllib.parse import urlsplit

from django.db import connections

# Before Stripe hears of it, while Stripe is at it, and when Stripe has answered and nobody here knows.
Moment = Literal["asked", "sent", "answered"]
_NOT_PASSED_ON = ("connection", "content-length", "date", "server", "transfer-encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCall:
    """A request that came by."""

    method: str
    path: str
    idempotency_key: str

    def is_step(self, step: str) -> bool:
        """Whether it is `POST /v1/invoices`, say; of a path that ends in a slash any object, or one of its actions."""
        method, _, path = step.partition(" ")
        start, _, end = path.partition("*")
        is_there = self.path.startswith(start) and self.path.endswith(end) if "*" in path else self.path == path
        return method == self.method and is_there


@dataclass
class WatchedStripe:
    """The watched way. What was asked for once happens once."""

    url: str = ""
    calls: list[AskedCall] = field(default_factory=list)
    under_way: list[AskedCall] = field(default_factory=list)  # Stripe is at them
    _acts: list[tuple[str, Moment, Callable[[], object]]] = field(default_factory=list)
    _changes: list[tuple[str, Callable[[dict[str, Any]], object]]] = field(default_factory=list)

    def at(self, step: str, moment: Moment, act: Callable[[], object]) -> None:
        """Do something at a moment of the next such call. What is done when it is `asked` keeps it from Stripe."""
        self._acts.append((step, moment, act))

    def change_answer(self, step: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Let the next such call be answered differently from how it is."""
        self._changes.append((step, change))

    def keys_of(self, step: str) -> set[str]:
        """The idempotency keys under which it was asked for."""
        return {call.idempotency_key for call in self.calls if call.is_step(step)}

    def forget(self) -> None:
        for noted in (self.calls, self._acts, self._changes):
            noted.clear()

    def act(self, call: AskedCall, moment: Moment) -> bool:
        """Whether something was to be done at this moment; it has been then."""
        found = next((one for one in self._acts if call.is_step(one[0]) and one[1] == moment), None)
        if found is None:
            return False
        self._acts.remove(found)
        try:
            found[2]()
        finally:
            connections.close_all()  # of this thread
        return True

    def answer(self, call: AskedCall, body: bytes) -> bytes:
        """The answer as it is passed on."""
        found = next((one for one in self._changes if call.is_step(one[0])), None)
        if found is None:
            return body
        self._changes.remove(found)
        answer = json.loads(body)
        found[1](answer)
        return json.dumps(answer).encode()


@contextmanager
def watch_stripe(base_url: str) -> Iterator[WatchedStripe]:
    """A watched way to the Stripe at that address."""
    watched, netloc = WatchedStripe(), urlsplit(base_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Idempotency-Key", "")
            call = AskedCall(method=self.command, path=self.path.partition("?")[0], idempotency_key=key)
            watched.calls.append(call)
            if watched.act(call, "asked"):
                self.close_connection = True
                return
            watched.under_way.append(call)
            stripe = HTTPConnection(netloc, timeout=30)
            stripe.request(self.command, self.path, body or None, dict(self.headers.items()))
            watched.act(call, "sent")
            response = stripe.getresponse()
            answer = response.read()
            stripe.close()
            watched.under_way.remove(call)
            watched.act(call, "answered")
            with suppress(OSError):  # nobody is there any more
                self.give(response.status, response.getheaders(), watched.answer(call, answer))

        do_GET = do_POST = do_DELETE = pass_on  # noqa: N815  # the server's names

        def give(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """The sandbox has a log of its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    watched.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.05,), name="watched-stripe", daemon=True).start()
    yield watched
    server.shutdown()
    server.server_close()
