"""A language model's API on this machine that does what a test says: answers, refuses, or lets everybody wait."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 300, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 100}}


class Upstream:
    """What is answered, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.text = "It says three instead of two."
        self.usage: dict[str, Any] | None = dict(USAGE)
        self.statuses: list[int] = []  # of the next answers; then 200
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.was_asked = threading.Event()
        self.base_url = ""

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(body)
        self.was_asked.set()
        status = self.statuses.pop(0) if self.statuses else 200
        self.may_answer.wait(30)
        if status != 200:
            return status, {"error": {"message": "no", "code": "some_code"}}
        choice = {"index": 0, "message": {"role": "assistant", "content": self.text}, "finish_reason": "stop"}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "model": body["model"], "choices": [choice]}
        return 200, {**answer, "usage": self.usage} if self.usage is not None else answer


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """An upstream that listens until the end."""
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, answer = upstream.answer(json.loads(self.rfile.read(length)))
            content = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return  # whoever asked is gone

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    upstream.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield upstream
    finally:
        upstream.may_answer.set()
        server.shutdown()
        server.server_close()
