"""Fixtures for the OpenAI-compatible endpoint: our server, the stand-in for the provider, the official client."""

import os
import signal
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as configured
from openai import OpenAI
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from billing.tests.processes import running_command, wait_until
from sandbox.llm.testing import KEY, RunningLlm
from usage.tests.factories import make_key, make_operation_price, make_price, make_user
from usage.tests.openai.asking import START

MODELS: dict[str, dict[str, Any]] = {
    "text-embedding": {"output_usd_per_1k": 0},
    "small-model": {},
}


@pytest.fixture
def buyer(transactional_db: None) -> User:
    """Somebody with 2,000 credits, where models have prices: see `usage.tests.factories`."""
    for model, fields in MODELS.items():
        make_price(model, **fields)
    make_operation_price("image")
    return make_user(credits=START)


@pytest.fixture
def base_url(live_server: LiveServer, llm: RunningLlm) -> str:
    """Our endpoint as a real server, whose provider is the stand-in."""
    return f"{live_server.url}/v1"


@pytest.fixture
def client(base_url: str, buyer: User) -> Iterator[OpenAI]:
    """The official client, unmodified, with a key of the buyer's."""
    with OpenAI(base_url=base_url, api_key=make_key(buyer).text, max_retries=0) as client:
        yield client


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServer:
    """A gunicorn of ours."""

    base_url: str
    kill: Callable[[], None]


@pytest.fixture
def start_web(transactional_db: None, llm: RunningLlm, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Starts a gunicorn as production runs it, on the test's database and with the stand-in as the provider."""

    @contextmanager
    def start(*, threads: int = 16) -> Iterator[WebServer]:
        port = _free_port()
        variables = {
            "BIND": f"127.0.0.1:{port}",
            "WEB_CONCURRENCY": "1",
            "WEB_THREADS": str(threads),
            "PREPAID_TEST_LLM": llm.base_url,
            "PREPAID_TEST_LLM_KEY": KEY,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        command = ("-m", "gunicorn", "--config", "config/gunicorn.py")
        with running_command(*command, redis_url=configured.REDIS_URL, stripe_api_base="http://127.0.0.1:9") as process:
            wait_until(lambda: _answers(f"http://127.0.0.1:{port}/livez"), seconds=30)
            yield WebServer(base_url=f"http://127.0.0.1:{port}/v1", kill=lambda: os.killpg(process.pid, signal.SIGKILL))

    return start


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1):  # noqa: S310  # the address is ours
            return True
    except OSError:
        return False
