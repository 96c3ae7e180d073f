"""The stand-in as a server: a thread in a test process, or a process of its own."""

import errno
import logging
import socketserver
import threading
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import django
from django.conf import settings
from django.core.servers.basehttp import WSGIRequestHandler

from sandbox.stripe.control import Control
from sandbox.stripe.handler import SandboxHandler
from sandbox.stripe.machine import Sandbox
from sandbox.stripe.refusals import refuse_wrong_place
from sandbox.stripe.worker import Worker

logger = logging.getLogger("sandbox.stripe")


# What the sandbox needs of Django when no project has set anything.
STANDALONE_SETTINGS: dict[str, Any] = {
    "DEBUG": True,
    "SECRET_KEY": "sandbox",
    "USE_I18N": False,
    "TIME_ZONE": "UTC",
    "LOGGING_CONFIG": None,
    "DATA_UPLOAD_MAX_MEMORY_SIZE": None,  # a lever may be given thousands of payments
}


class PortTaken(Exception):
    """Something else listens on the port."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without asking the name service for our own name, which may be slow."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _RequestHandler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # else each answer on a kept connection waits for a delayed acknowledgement

    def get_environ(self) -> dict[str, Any]:
        """The WSGI environment, with the connection, which a fault may close."""
        return {**super().get_environ(), "sandbox.connection": self.connection}

    def log_message(self, format: str, *args: Any) -> None:
        """One line for each request, on the sandbox's own logger."""
        logger.debug(format, *args)


class SandboxServer:
    """A running stand-in. ``base_url`` is where it listens, ``control`` its levers, ``breaches`` what it saw."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str = ":memory:",
        mail_dir: Path | None = None,
        settle_after_seconds: float | None = None,
    ) -> None:
        self._host, self._port = host, port
        self.sandbox = Sandbox(state=state, mail_dir=mail_dir, settle_after_seconds=settle_after_seconds)
        self.control = Control(self.sandbox)
        self._server: _Server | None = None
        self._worker: Worker | None = None

    @property
    def base_url(self) -> str:
        """The address of the running server."""
        return self.sandbox.base_url

    @property
    def breaches(self) -> list[str]:
        """Where a request, an answer or an event broke the contract."""
        return self.sandbox.breaches

    def start(self) -> None:
        """Listen and work in background threads.

        Raises:
            PortTaken: something else listens on the port.
            Refused: it must not run here, beside live keys or in production.
        """
        refuse_wrong_place()
        if not settings.configured:
            settings.configure(**STANDALONE_SETTINGS)
            django.setup()
        try:
            self._server = _Server((self._host, self._port), _RequestHandler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(f"Port {self._port} is taken. Choose another with --port.") from error
        self._server.set_app(SandboxHandler(self.sandbox))
        self.sandbox.base_url = f"http://{self._host}:{self._server.server_port}"
        self._worker = Worker(self.sandbox)
        self.sandbox.wake_worker = self._worker.wake
        self._worker.start()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and working; the state is kept where it was told to be."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        if self._worker:
            self._worker.stop()
        self.sandbox.store.close()

    def reset(self) -> None:
        """Forget all objects, faults and breaches."""
        self.control.reset()
