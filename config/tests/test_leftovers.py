"""Databases of dead test runs."""

import os
import subprocess
import sys

import psycopg
import pytest

from config.leftovers import drop_leftover_databases
from sandbox import embedded

pytestmark = pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="only the embedded server is tidied")


def test_database_of_a_dead_run_is_dropped_and_of_a_living_one_stays() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {"dead": f"test_prepaid_{dead.pid}_gw0", "living": f"test_prepaid_{os.getpid()}_living"}
    with psycopg.connect(host=str(embedded.RUN), user="prepaid", dbname="postgres", autocommit=True) as connection:
        for name in names.values():
            connection.execute(f'CREATE DATABASE "{name}"')
        try:
            dropped = drop_leftover_databases()

            assert names["dead"] in dropped
            assert names["living"] not in dropped
        finally:
            for name in names.values():
                connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
