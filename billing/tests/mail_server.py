"""A real mail server for tests: it takes mails, refuses them or dies, and remembers what it took."""

import email
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class MailServer:
    """On a port of its own, which it keeps while it is stopped. `answers` are given before mails are taken.

    `refuses_sender` is the answer to whoever begins a mail, as of a server that wants a login first.
    """

    port: int
    taken: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refuses_sender: str = ""
    controller: Controller | None = None

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuses_sender:
            return self.refuses_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if self.answers and (answer := self.answers.pop(0)):
            return answer
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        return "250 OK"

    def start(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.taken]


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """A server that takes everything."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = MailServer(port=probe.getsockname()[1])
    server.start()
    try:
        yield server
    finally:
        server.stop()
