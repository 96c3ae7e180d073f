"""The stand-in over HTTP: OpenAI's addresses below /v1, and the levers of tests below /sandbox."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from sandbox.llm.answers import Chat, answer_chat, write_completion, write_pieces
from sandbox.llm.counting import text_of
from sandbox.llm.objects import answer_embeddings, answer_images, list_models
from sandbox.llm.wishes import Wishes, read_wishes

LONGEST_WAIT_SECONDS: Final = 600


class ConnectionCut(Exception):
    """The stand-in closes the connection without another word, as it was asked to."""


@dataclass
class Levers:
    """What tests may pull, and what they may look at."""

    key: str = ""
    standing_wish: str = ""  # added to every prompt
    calls: list[dict[str, Any]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Open the gate for who still waits, and forget everything."""
        self.gate.set()
        self.standing_wish, self.calls, self.gate = "", [], threading.Event()


class LlmServer(ThreadingHTTPServer):
    """A running stand-in."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, *, host: str, port: int, key: str = "") -> None:
        self.levers = Levers(key=key)
        super().__init__((host, port), _Handler)

    @property
    def base_url(self) -> str:
        """What goes into LLM_BASE_URL."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LlmServer

    def do_GET(self) -> None:
        """Models, and what was called."""
        if self.path == "/v1/models":
            self._answer(200, list_models())
        elif self.path == "/sandbox/calls":
            self._answer(200, {"calls": self.server.levers.calls})
        else:
            self._refuse(404, "There is no such address.")

    def do_POST(self) -> None:
        """Work, and levers."""
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(text or b"{}")
        except ValueError:
            return self._refuse(400, "The body is not JSON.")
        if self.path.startswith("/sandbox/"):
            return self._pull(self.path.removeprefix("/sandbox/"), body)
        work = _WORK.get(self.path.partition("?")[0])
        if work is None:
            return self._refuse(404, "There is no such address.")
        key = self.server.levers.key
        if key and self.headers.get("Authorization") != f"Bearer {key}":
            return self._refuse(401, "Incorrect API key provided.", code="invalid_api_key")
        return self._work(work, body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test reads the calls."""

    def _pull(self, lever: str, body: dict[str, Any]) -> None:
        levers = self.server.levers
        if lever == "reset":
            levers.reset()
        elif lever == "gate":
            levers.gate.set()
        elif lever == "wish":
            levers.standing_wish = str(body["text"])
        else:
            return self._refuse(404, "There is no such lever.")
        return self._answer(200, {})

    def _work(self, work: Callable[..., None], body: dict[str, Any]) -> None:
        call = {"path": self.path, "headers": dict(self.headers), "body": body, "ended": ""}
        self.server.levers.calls.append(call)
        wishes = read_wishes(_prompt(body) + self.server.levers.standing_wish)
        try:
            self._stall(wishes)
            if wishes.fail is not None:
                self._refuse(wishes.fail, f"The stand-in was asked to fail with {wishes.fail}.", code="asked_to_fail")
            else:
                work(self, body, wishes)
            call["ended"] = "answered"
        except ConnectionCut:
            call["ended"] = "cut"
            self._cut()
        except OSError:
            call["ended"] = "client gone"
            self.close_connection = True
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            self._refuse(400, f"The request cannot be read: {error!r}.")

    def _stall(self, wishes: Wishes) -> None:
        time.sleep(wishes.wait_ms / 1000)
        if wishes.hangs:
            threading.Event().wait(LONGEST_WAIT_SECONDS)
        if wishes.gate_after == 0:
            self.server.levers.gate.wait(LONGEST_WAIT_SECONDS)
        if wishes.break_after == 0:
            raise ConnectionCut

    def chat(self, body: dict[str, Any], wishes: Wishes) -> None:
        """A chat completion, whole or as a stream."""
        chat = answer_chat(body, wishes=wishes)
        if not body.get("stream"):
            return self._answer(200, write_completion(chat))
        tells_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return self._stream(chat, wishes=wishes, tells_usage=tells_usage)

    def embeddings(self, body: dict[str, Any], wishes: Wishes) -> None:
        """Embeddings."""
        self._answer(200, answer_embeddings(body, wishes=wishes))

    def images(self, body: dict[str, Any], wishes: Wishes) -> None:
        """Images."""
        self._answer(200, answer_images(body, wishes=wishes))

    def _stream(self, chat: Chat, *, wishes: Wishes, tells_usage: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        gate, said = self.server.levers.gate, 0
        for tokens, piece in write_pieces(chat, tells_usage=tells_usage):
            self._send_piece(json.dumps(piece))
            said += tokens
            if wishes.break_after is not None and tokens and said >= wishes.break_after:
                raise ConnectionCut
            if wishes.gate_after is not None and tokens and said >= wishes.gate_after:
                gate.wait(LONGEST_WAIT_SECONDS)
            time.sleep(wishes.pause_ms / 1000 if tokens else 0)
        self._send_piece("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _send_piece(self, text: str) -> None:
        event = f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")

    def _refuse(self, status: int, message: str, *, code: str | None = None) -> None:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        headers = {"Retry-After": "7"} if status == 429 else {}
        error = {"message": message, "type": kind, "param": None, "code": code}
        self._answer(status, {"error": error}, headers=headers)

    def _answer(self, status: int, body: dict[str, Any], *, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        more = {"Content-Type": "application/json", "Content-Length": str(len(text)), "Set-Cookie": "sandbox=1"}
        for name, value in {**more, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


_WORK: Final[dict[str, Callable[..., None]]] = {
    "/v1/chat/completions": _Handler.chat,
    "/v1/embeddings": _Handler.embeddings,
    "/v1/images/generations": _Handler.images,
}


def _prompt(body: dict[str, Any]) -> str:
    """The text in which wishes may stand: the last message that a user wrote, an image's prompt, an input."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return str(body.get("prompt") or body.get("input") or "")
    said = [text_of(message) for message in messages if isinstance(message, dict) and message.get("role") == "user"]
    return said[-1] if said else ""
