"""Test databases of runs that were killed: their names carry the run's process id, so they can be told and dropped."""

import os
import re

import psycopg
from psycopg import sql

from sandbox import embedded

NAME = re.compile(r"test_prepaid_(\d+)(?:_\w+)?")


def drop_leftover_databases() -> list[str]:
    """Drop the embedded server's test databases whose run is dead. Returns their names."""
    with psycopg.connect(host=str(embedded.RUN), user="prepaid", dbname="postgres", autocommit=True) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test_prepaid_%'").fetchall()
        dead = [name for (name,) in rows if (match := NAME.fullmatch(name)) and not _is_alive(int(match[1]))]
        for name in dead:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    return dead


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
