"""Every object as JSON in one SQLite table, and the lock that makes each piece of work one step."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.stripe.records import Resource

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    due_at REAL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, sequence);
CREATE INDEX IF NOT EXISTS objects_due ON objects (kind, due_at) WHERE due_at IS NOT NULL;
"""
_OPERATORS = frozenset({"=", ">", ">=", "<", "<="})


@dataclass(frozen=True)
class Condition:
    """One filter of a list: a field by its JSON path, an operator and a value (several values mean any of them)."""

    path: str
    operator: str
    value: object

    def as_sql(self) -> tuple[str, list[object]]:
        """The SQL of the filter and its parameters."""
        if isinstance(self.value, list | tuple):
            marks = ", ".join("?" * len(self.value))
            return f"json_extract(body, ?) IN ({marks})", [f"$.{self.path}", *self.value]
        if self.operator not in _OPERATORS:
            raise ValueError(f"Unknown operator {self.operator}")
        return f"json_extract(body, ?) {self.operator} ?", [f"$.{self.path}", self.value]


NOT_DELETED = Condition(
    path="livemode", operator="=", value=False
)  # what is left of a deleted object has no such field


class Store:
    """Holds all objects. Every use is inside ``unit()``, which is a lock and a database transaction in one."""

    def __init__(self, path: str) -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self.has_new_due = False  # since the worker was woken last
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Do the work inside as one step: alone, and undone as a whole when it raises. May be nested."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def get(self, resource_id: str, *, kind: str | None = None) -> Resource | None:
        """The object with this id, or None where there is none or it is of another kind."""
        row = self._select("SELECT body, kind FROM objects WHERE id = ?", [resource_id]).fetchone()
        return json.loads(row[0]) if row and kind in (None, row[1]) else None

    def put(self, resource: Resource, *, due_at: float | None = None) -> None:
        """Save an object, new or changed; ``due_at`` is when the background worker must look at it."""
        statement = (
            "INSERT INTO objects (id, kind, due_at, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, body = excluded.body"
        )
        self._select(statement, [resource["id"], resource["object"], due_at, json.dumps(resource)])
        self.has_new_due = self.has_new_due or due_at is not None

    def sequence_of(self, resource_id: str, *, kind: str) -> int | None:
        """Where the object stands in its list, or None."""
        row = self._select("SELECT sequence FROM objects WHERE id = ? AND kind = ?", [resource_id, kind]).fetchone()
        return int(row[0]) if row else None

    def find(
        self,
        kind: str,
        conditions: Sequence[Condition] = (),
        *,
        below: int | None = None,
        above: int | None = None,
        limit: int | None = None,
    ) -> list[Resource]:
        """Objects of a kind, newest first; with ``above`` (a place in the list) the ones just before it."""
        clauses = ["kind = ?"]
        values: list[object] = [kind]
        for condition in conditions:
            clause, more = condition.as_sql()
            clauses.append(clause)
            values += more
        if below is not None:
            clauses.append("sequence < ?")
            values.append(below)
        if above is not None:
            clauses.append("sequence > ?")
            values.append(above)
        direction = "ASC" if above is not None else "DESC"
        where = " AND ".join(clauses)
        statement = f"SELECT body FROM objects WHERE {where} ORDER BY sequence {direction} LIMIT ?"  # noqa: S608 (no outside text)
        rows = self._select(statement, [*values, -1 if limit is None else limit]).fetchall()
        found = [json.loads(row[0]) for row in rows]
        return found[::-1] if above is not None else found

    def find_due(self, kind: str, *, now: float, limit: int = 50) -> list[Resource]:
        """Objects whose time has come, the longest waiting first."""
        statement = (
            "SELECT body FROM objects WHERE kind = ? AND due_at IS NOT NULL AND due_at <= ?"
            " ORDER BY due_at, sequence LIMIT ?"
        )
        return [json.loads(row[0]) for row in self._select(statement, [kind, now, limit]).fetchall()]

    def next_due_at(self) -> float | None:
        """When the next object must be looked at, or None."""
        row = self._select("SELECT min(due_at) FROM objects WHERE due_at IS NOT NULL", []).fetchone()
        return None if row[0] is None else float(row[0])

    def count_by_kind(self) -> dict[str, int]:
        """How many objects of each kind there are."""
        return dict(self._select("SELECT kind, count(*) FROM objects GROUP BY kind ORDER BY kind", []).fetchall())

    def remove(self, resource_id: str) -> None:
        """Forget one object."""
        self._select("DELETE FROM objects WHERE id = ?", [resource_id])

    def clear(self) -> None:
        """Forget everything."""
        self._select("DELETE FROM objects", [])

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _select(self, statement: str, parameters: Sequence[object]) -> sqlite3.Cursor:
        if self._depth == 0:
            raise RuntimeError("The store is used outside of unit().")
        return self._connection.execute(statement, parameters)
