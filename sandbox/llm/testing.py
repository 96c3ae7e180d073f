"""The stand-in for tests, as a process of its own: the fixture `llm`, or `running_llm` for several."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_django import Settings

from sandbox.servers import die_with_parent

KEY: Final = "sk-upstream-only"  # what the stand-in takes; it must never be seen by a client of ours
_ROOT: Final = Path(__file__).resolve().parent.parent.parent


class RunningLlm:
    """A running stand-in. ``base_url`` goes into LLM_BASE_URL."""

    def __init__(self, *, base_url: str, process: "subprocess.Popen[str]") -> None:
        self.base_url = base_url
        self._process = process

    def calls(self) -> list[dict[str, Any]]:
        """What it was asked, oldest first: path, headers, body, and how each call ended."""
        calls: list[dict[str, Any]] = self._send("calls", None)["calls"]
        return calls

    def wish(self, text: str) -> None:
        """Add wishes such as `[fail 500]` to every prompt from now on; an empty text ends that."""
        self._send("wish", {"text": text})

    def open_gate(self) -> None:
        """Let all go on who wait by `[gate after …]`, from now on everybody."""
        self._send("gate", {})

    def reset(self) -> None:
        """Forget calls and wishes, let go who waits, and close the gate."""
        self._send("reset", {})

    def kill(self) -> None:
        """End the process as a crash would."""
        self._process.kill()
        self._process.wait()

    def _send(self, lever: str, body: dict[str, Any] | None) -> dict[str, Any]:
        address = self.base_url.removesuffix("/v1") + "/sandbox/" + lever
        request = urllib.request.Request(  # noqa: S310  # the address is ours
            address, data=None if body is None else json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
            parsed: dict[str, Any] = json.load(answer)
        return parsed


@contextmanager
def running_llm(*, key: str = KEY) -> Iterator[RunningLlm]:
    """A stand-in of one's own, which ends with the block."""
    starter = os.getpid()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.llm", "--port", "0", "--key", key],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent=starter),
    )
    try:
        if process.stdout is None:
            raise RuntimeError("The stand-in has no output.")
        base_url = process.stdout.readline().strip().rpartition(" ")[2]
        if not base_url:
            raise RuntimeError("The stand-in for language models did not start.")
        yield RunningLlm(base_url=base_url, process=process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def llm_process() -> Iterator[RunningLlm]:
    """One stand-in for the whole run. Tests use ``llm``, which has forgotten everything at the start of each."""
    with running_llm() as llm:
        yield llm


@pytest.fixture
def llm(llm_process: RunningLlm, settings: Settings) -> Iterator[RunningLlm]:
    """A stand-in without calls, to which the settings point."""
    llm_process.reset()
    settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_API_PROVIDERS = llm_process.base_url, KEY, []
    yield llm_process
    llm_process.reset()
