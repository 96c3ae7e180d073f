"""Fixtures of the tests of the Stripe sandbox."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from sandbox.stripe.server import SandboxServer
from sandbox.tests.stripe.notes import Notes
from sandbox.tests.stripe.shop import Shop


@pytest.fixture
def shop(stripe_sandbox: SandboxServer) -> Shop:
    return Shop(stripe_sandbox)


@pytest.fixture
def notes(shop: Shop) -> Notes:
    return Notes(shop)


class Receiver:
    """A webhook endpoint that notes what it gets and answers as it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    endpoint = Receiver()
    thread = Thread(target=endpoint.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()
