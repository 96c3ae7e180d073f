"""docs/integration-guide.md: every block is run, in the page's order, against a real server, and does what it says."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone
from openai import OpenAI
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.api_keys import issue_key
from accounts.models import User
from billing.credits import add_credits
from billing.services.customers import ensure_customer
from sandbox.demo.prices import ensure_prices
from sandbox.llm.testing import KEY, RunningLlm
from usage.services.summaries import RUN_SUMMARY
from usage.services.summary_runs import run_summary

PAGE: Final = (Path(configured.BASE_DIR) / "docs/integration-guide.md").read_text()
MARK: Final = "-- end of block --"
# What a block's answer has in common with the one on the page, beside the names of its members.
SAME: Final = frozenset(
    (
        "object",
        "amount",
        "settled_amount",
        "state",
        "status",
        "code",
        "credits",
        "posted",
        "debt",
        "duplicates",
        "refused",
        "estimate",
        "worst_case",
        "basis",
        "external_id",
        "email",
        "credits_per_1k_input_tokens",
        "credits_per_1k_output_tokens",
        "title",
        "kind",
    )
)
NOT_SAME: Final = {"kind": "purchase", "state": "queued"}  # nothing was bought, and the worker may be quick


class Block(NamedTuple):
    """A fenced block, and the JSON block that stands right behind it, if one does."""

    language: str
    text: str
    promised: str | None


def read_blocks(page: str) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```\n", page, re.MULTILINE | re.DOTALL)
    following = [*found[1:], ("", "")]
    return [
        Block(language, text, after[1] if after[0] == "json" else None)
        for (language, text), after in zip(found, following, strict=True)
    ]


BLOCKS: Final = read_blocks(PAGE)


class Shell:
    """One shell, in which blocks run one after the other and leave their variables to each other."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "-u"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, block: str) -> str:
        """What the block writes."""
        reads, writes = self._process.stdout, self._process.stdin
        assert reads is not None
        assert writes is not None
        writes.write(f"{block}\nprintf '\\n%s %d\\n' '{MARK}' \"$?\"\n")
        writes.flush()
        lines: list[str] = []
        while not (line := reads.readline()).startswith(MARK):
            assert line, f"the shell ended in {block}"
            lines.append(line)
        assert line.split()[-1] == "0", (block, lines)
        return "".join(lines).strip()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def user(transactional_db: None) -> User:
    """Whose credits the page spends: 1,000 of them."""
    user = User.objects.create_user("ada@example.com")
    add_credits(user, 1000, kind="promotion", idempotency_key="start")
    return user


@pytest.fixture
def variables(user: User, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the page asks its readers to have: an address and two keys."""
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="adjust_credits"))
    ensure_customer(user=staff)
    scopes = ("read", "spend", "customers")
    found = {
        "SITE": live_server.url,
        "KEY": issue_key(user=user, name="Guide", scopes=("read", "spend")).text,
        "PLATFORM_KEY": issue_key(user=staff, name="Platform", scopes=scopes, created_by=staff).text,
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker that does a summary as soon as it is asked for."""
    threads: list[threading.Thread] = []

    def work(public_id: str) -> None:
        run_summary(public_id=public_id)
        connection.close()

    def wake(*, name: str, arguments: tuple[str, ...] = ()) -> bool:
        if name != RUN_SUMMARY:
            return True
        threads.append(threading.Thread(target=work, args=arguments))
        threads[-1].start()
        return True

    monkeypatch.setattr("billing.wake.wake_task", wake)
    yield
    for thread in threads:
        thread.join(timeout=30)


def assert_alike(promised: Any, given: Any, path: str = "") -> None:
    """The members are the same, and so are the values that no clock and no chance decide."""
    if isinstance(promised, dict) and isinstance(given, dict):
        assert promised.keys() == given.keys(), path
        for name, value in promised.items():
            if name in SAME and not isinstance(value, dict | list) and value != NOT_SAME.get(name):
                assert given[name] == value, f"{path}.{name}"
            assert_alike(value, given[name], f"{path}.{name}")
    elif isinstance(promised, list) and isinstance(given, list):
        assert len(promised) == len(given), path
        for place, (one, other) in enumerate(zip(promised, given, strict=True)):
            assert_alike(one, other, f"{path}[{place}]")
    elif promised is not None and given is not None:
        assert isinstance(given, type(promised)), path


def said_by_comments(block: str) -> list[str]:
    """What the comments after `print` say that the block prints, in order."""
    return re.findall(r"^\s*print\(.*\)  # (.*)$", block, re.MULTILINE)


@pytest.mark.usefixtures("worker")
def test_every_block_does_what_the_page_says(
    variables: dict[str, str], user: User, llm: RunningLlm, settings: Settings
) -> None:
    settings.SUMMARY_MODEL = "gpt-5-mini"
    settings.API_REQUESTS_PER_MINUTE = 600
    ensure_prices(now=timezone.now())
    names: dict[str, Any] = {"user": user, "provider": OpenAI(base_url=llm.base_url, api_key=KEY)}
    shell = Shell({**os.environ, **variables})
    try:
        for block in BLOCKS:
            if block.language == "sh":
                check_shell_block(shell, block)
            elif block.language == "python":
                check_python_block(names, block)
    finally:
        shell.close()
        for client in [value for value in names.values() if isinstance(value, OpenAI)]:
            client.close()


def check_shell_block(shell: Shell, block: Block) -> None:
    written = shell.run(block.text)
    if "curl" not in block.text:
        assert written == ""
        return
    given = json.loads(written)
    if block.promised is None:
        assert "detail" not in given, given
    else:
        assert_alike(json.loads(block.promised), given)


def check_python_block(names: dict[str, Any], block: Block) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, "docs/integration-guide.md", "exec"), names)  # noqa: S102  # our own page

    assert printed.getvalue().splitlines() == said_by_comments(block.text), block.text


def test_page_covers_every_way_in() -> None:
    languages = [block.language for block in BLOCKS]
    code = "\n".join(block.text for block in BLOCKS)

    assert set(languages) == {"sh", "python", "json", "mermaid"}
    for address in (
        "balance",
        "debits",
        "holds",
        "settle",
        "release",
        "usage-events",
        "quotes",
        "customers",
        "summaries",
        "/v1/chat/completions",
        "rotate_key",
        "Billing-Customer",
        "stream=True",
    ):
        assert address in code, address


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=lambda _: "block")
def test_python_blocks_print_only_what_a_comment_says(block: Block) -> None:
    prints = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Call)]
    calls = [node for node in prints if isinstance(node.func, ast.Name) and node.func.id == "print"]
    never = block.text.count('print("never")')

    assert len(calls) - never == len(said_by_comments(block.text))
