"""The embedded servers under several users and kill -9, on a `var` of their own so that the suite's servers stay up."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import embedded

USER = """
import sys, psycopg, redis
from sandbox import embedded
embedded.ensure_running()
redis.Redis.from_url(embedded.redis_url()).ping()
with psycopg.connect(host=str(embedded.RUN), user="prepaid", dbname="prepaid") as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()").fetchone()[0], flush=True)
sys.stdin.read()
"""
WAIT_SECONDS = 20


class Checkout:
    """A `var` folder, the commands that use it and the servers that run in it."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.users: list[subprocess.Popen[str]] = []

    def start_user(self, code: str = USER) -> subprocess.Popen[str]:
        user = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=embedded.BASE_DIR,
            env={**os.environ, "PREPAID_VAR": str(self.var)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.users.append(user)
        return user

    def started_at(self, user: subprocess.Popen[str]) -> str:
        """When the PostgreSQL that a user found was started."""
        assert user.stdout
        line = user.stdout.readline().strip()
        assert line.startswith("20"), line + user.stdout.read()
        return line

    def postmasters(self) -> list[tuple[int, int]]:
        """The process ids of running PostgreSQL servers, each with its keeper's."""
        listing = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in listing.splitlines()]
        return [(int(pid), int(parent)) for pid, parent, args in rows if f"-D {self.var}/postgres -h" in args]

    def stop_users(self) -> None:
        for user in self.users:
            user.kill()
            user.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a path with spaces") / "var"


@pytest.fixture
def checkout(var: Path) -> Iterator[Checkout]:
    checkout = Checkout(var)
    yield checkout
    checkout.stop_users()
    wait_until(lambda: not checkout.postmasters())


def test_eight_commands_at_once_share_one_server_and_leave_none(checkout: Checkout) -> None:
    users = [checkout.start_user() for _ in range(8)]

    starts = {checkout.started_at(user) for user in users}

    assert len(starts) == 1
    assert len(checkout.postmasters()) == 1
    for user in users:
        user.communicate("")
    wait_until(lambda: not checkout.postmasters())


def test_servers_stop_after_kill_9_of_the_last_user(checkout: Checkout) -> None:
    user = checkout.start_user()
    checkout.started_at(user)

    user.kill()

    wait_until(lambda: not checkout.postmasters())


def test_killed_postmaster_is_started_again(checkout: Checkout) -> None:
    first = checkout.started_at(checkout.start_user())
    [(postmaster, _)] = checkout.postmasters()

    os.kill(postmaster, signal.SIGKILL)

    wait_until(lambda: (checkout.var / "services.log").read_text().count("ready to accept connections") == 2)
    assert checkout.started_at(checkout.start_user()) != first


def test_servers_die_with_their_keeper_and_the_next_command_starts_new_ones(checkout: Checkout) -> None:
    checkout.started_at(checkout.start_user())
    [(_, keeper)] = checkout.postmasters()

    os.kill(keeper, signal.SIGKILL)

    wait_until(lambda: not checkout.postmasters())
    checkout.started_at(checkout.start_user())
    assert len(checkout.postmasters()) == 1


def test_guard_starts_another_keeper_at_once(checkout: Checkout) -> None:
    guard = checkout.start_user("from sandbox import embedded; embedded.stand_guard()")
    assert guard.stdout
    assert "are up" in guard.stdout.readline()
    [(postmaster, keeper)] = checkout.postmasters()

    os.kill(keeper, signal.SIGKILL)

    assert "starting another" in guard.stdout.readline()
    wait_until(lambda: checkout.postmasters() not in ([], [(postmaster, keeper)]))


def test_full_disk_is_a_sentence() -> None:
    with pytest.raises(embedded.ServicesUnavailable, match=r"is full: .* MB are free, PostgreSQL needs"):
        embedded.refuse_full_disk(needed_bytes=2**60)


def test_disk_that_fills_while_starting_is_a_sentence() -> None:
    explanation = embedded.explain_failure("initdb: error: could not write: No space left on device\nmuch more")

    assert "is full" in explanation
    assert "much more" not in explanation


def test_unknown_failure_shows_the_end_of_the_log() -> None:
    assert embedded.explain_failure("FATAL: nobody knows").endswith("FATAL: nobody knows")


def test_var_that_cannot_be_written_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    user = Checkout(tmp_path / "file" / "var").start_user()
    output, _ = user.communicate(timeout=WAIT_SECONDS)

    assert user.returncode == 1
    assert "cannot hold PostgreSQL and Valkey" in output
    assert "Traceback" not in output
