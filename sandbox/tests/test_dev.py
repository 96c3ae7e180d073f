"""The processes that `make run` holds together, and that nothing of them is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from sandbox import defaults, embedded
from sandbox.demo.accounts import OWNER, STAFF
from sandbox.management.commands import dev

PATIENCE_SECONDS = 15
# A child that says its process id, survives its terminal, and notes how it ended.
CHILD = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1] + ".ended", "w").close(), sys.exit(0)))
open(sys.argv[1], "w").write(str(os.getpid()))
print("running", flush=True)
time.sleep(float(sys.argv[2]))
sys.exit(int(sys.argv[3]))
"""
STARTER = """
import sys
from pathlib import Path
from sandbox import procession
from sandbox.procession import run_together
child, folder, ends, lived = sys.argv[1:5]
procession.LIVED_SECONDS = float(lived)
commands = {name: [sys.executable, "-c", child, folder + "/" + name, seconds, code]
            for name, seconds, code in (("first", "60", "0"), ("second", *ends.split(":")))}
sys.exit(run_together(commands=commands, folder=Path(folder), environment={}))
"""


def start(folder: Path, *, ends: str = "60:0", lived: float = 10) -> subprocess.Popen[str]:
    """Run two children together; the second ends after `seconds:code`. Returns when both run."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, CHILD, str(folder), ends, str(lived)],
        cwd=embedded.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: all(pid_of(folder, name) for name in ("first", "second")))
    return starter


def pid_of(folder: Path, name: str) -> int:
    path = folder / name
    return int((path.exists() and path.read_text()) or 0)


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "a path with spaces"
    path.mkdir()
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_all_politely_and_counts_as_success(folder: Path, number: signal.Signals) -> None:
    starter = start(folder)

    os.killpg(starter.pid, number)
    output, _ = starter.communicate(timeout=PATIENCE_SECONDS)

    assert starter.returncode == 0, output
    assert (folder / "first.ended").exists()
    assert (folder / "second.ended").exists()
    assert "first" in output
    assert "running" in output


def test_one_that_fails_stops_the_others_and_gives_its_code(folder: Path) -> None:
    starter = start(folder, ends="0.2:7")

    output, _ = starter.communicate(timeout=PATIENCE_SECONDS)

    assert starter.returncode == 7, output
    assert (folder / "first.ended").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
def test_one_that_is_killed_is_started_again_beside_the_others(folder: Path) -> None:
    starter = start(folder, lived=0)
    first, second = pid_of(folder, "first"), pid_of(folder, "second")

    os.kill(second, signal.SIGKILL)

    wait_until(lambda: pid_of(folder, "second") not in (0, second))
    assert pid_of(folder, "first") == first
    starter.send_signal(signal.SIGINT)
    said = starter.communicate(timeout=PATIENCE_SECONDS)[0]
    assert "second ended with -9, starting it again" in said
    assert starter.returncode == 0
    assert not is_alive(first)


def test_kill_9_of_the_starter_leaves_no_child(folder: Path) -> None:
    starter = start(folder)
    children = [pid_of(folder, name) for name in ("first", "second")]

    starter.kill()
    starter.communicate()

    wait_until(lambda: not any(is_alive(child) for child in children))
    assert (folder / "first.ended").exists()


def test_taken_port_is_a_sentence(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind((dev.ADDRESS, 0))
        other.listen()
        settings.PORT = other.getsockname()[1]

        with pytest.raises(CommandError, match=rf"Port {settings.PORT} cannot be used .* make run PORT=8100"):
            call_command("dev")


def test_demo_accounts_and_addresses_are_announced(settings: Settings) -> None:
    settings.STRIPE_STAND_IN_IS_WANTED = True

    text = "\n".join(dev.describe_demo(port=8123, stripe_port=8133))

    assert "http://127.0.0.1:8123" in text
    assert "http://127.0.0.1:8133/sandbox/" in text
    assert all(f"{account.email} / {account.password}" in text for account in (OWNER, STAFF))


def test_no_stand_in_is_started_for_what_is_given(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STRIPE_STAND_IN_IS_WANTED = settings.LLM_STAND_IN_IS_WANTED = False
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/name")
    monkeypatch.setenv("REDIS_URL", "redis://host/0")

    commands = dev.list_commands(port=8000, stripe_port=8010)

    assert {"stripe", "llm", "services"}.isdisjoint(commands)
    assert {"web", "worker", "beat"} <= set(commands)


def test_stand_ins_are_ten_and_twenty_ports_above_the_web_server(settings: Settings) -> None:
    settings.LLM_STAND_IN_IS_WANTED = True

    command = dev.list_commands(port=8123, stripe_port=8133)["llm"]

    assert defaults.stripe_api_base(web_port=8123) == "http://127.0.0.1:8133"
    assert defaults.llm_base_url(web_port=8123) == "http://127.0.0.1:8143/v1"
    assert command[1:] == ["-m", "sandbox.llm", "--port", "8143", "--key", defaults.LLM_API_KEY]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
def test_child_of_a_parent_that_is_gone_already_does_not_start() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    code = f"import signal; from sandbox.servers import die_with_parent as tie; tie(signal.SIGTERM, parent={gone.pid})"
    child = subprocess.run(
        [sys.executable, "-c", f"{code}; print('on')"],
        cwd=embedded.BASE_DIR,
        capture_output=True,
        check=False,
    )

    assert (child.returncode, child.stdout) == (1, b"")


def test_reader_of_the_log_that_is_gone_stops_all(folder: Path) -> None:
    starter = start(folder)
    assert starter.stdout
    starter.stdout.close()
    os.kill(pid_of(folder, "first"), signal.SIGKILL)  # something to write about

    starter.wait(timeout=PATIENCE_SECONDS)

    assert (folder / "second.ended").exists()
