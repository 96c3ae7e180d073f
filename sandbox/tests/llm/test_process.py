"""The stand-in for language models as a process of its own."""

import socket
import subprocess
import sys
from typing import Any

import httpx2
import pytest

from sandbox.llm.testing import KEY, RunningLlm, running_llm


def send(base_url: str, path: str, body: bytes = b"{}", key: str = KEY) -> int:
    """The status of the answer."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.post(base_url + path, content=body, headers=headers, timeout=5).status_code


def test_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "sandbox.llm", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 2
    assert "does not start" in ended.stderr


def test_process_ends_when_it_is_asked_to() -> None:
    process = subprocess.Popen([sys.executable, "-m", "sandbox.llm", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "http://127.0.0.1:" in process.stdout.readline()

    process.terminate()

    assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("path", "body", "key", "status"),
    [
        ("/chat/completions", b'{"model": "m", "messages": [{"role": "user", "content": "Hello"}]}', KEY, 200),
        ("/chat/completions", b'{"model": "m", "messages": [{"role": "user", "content": "Hello"}]}', "other", 401),
        ("/chat/completions", b'{"model": "m"}', KEY, 400),
        ("/chat/completions", b"{", KEY, 400),
        ("/audio/speech", b"{}", KEY, 404),
    ],
)
def test_requests_are_answered_or_refused(
    llm_process: RunningLlm, path: str, body: bytes, key: str, status: int
) -> None:
    assert send(llm_process.base_url, path, body, key) == status


def test_calls_can_be_looked_at_and_forgotten(llm: RunningLlm) -> None:
    send(llm.base_url, "/embeddings", b'{"model": "m", "input": "Hello"}')
    calls: list[dict[str, Any]] = llm.calls()
    llm.reset()

    assert [(call["path"], call["body"]["input"], call["ended"]) for call in calls] == [
        ("/v1/embeddings", "Hello", "answered")
    ]
    assert llm.calls() == []


def test_killed_process_answers_nobody() -> None:
    with running_llm() as llm:
        llm.kill()

        with pytest.raises(httpx2.ConnectError):
            send(llm.base_url, "/embeddings")
