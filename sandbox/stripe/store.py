"""Every object as JSON in one SQLite table, and the lock that makes each piece of work one step."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.stripe.records import Resource

# What lists are filtered by most, kept beside the body so that indexes can find it. A path that is missing here works
# too; it is looked up in the body of every object of the kind.
_COLUMNS = {
    "created": "created",
    "customer": "customer",
    "payment_intent": "payment_intent",
    "payment.payment_intent": "payment_intent",  # an invoice payment's
    "charge": "charge",
    "source": "source",
    "type": "type",
    "invoice": "invoice",
    "event": "event",
}
_TEXT_COLUMNS = tuple(dict.fromkeys(column for column in _COLUMNS.values() if column != "created"))
_TABLE = f"""
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    due_at REAL,
    created INTEGER NOT NULL DEFAULT 0,
    {" TEXT, ".join(_TEXT_COLUMNS)} TEXT,
    body TEXT NOT NULL
);
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, sequence);
CREATE INDEX IF NOT EXISTS objects_by_created ON objects (kind, created, sequence);
CREATE INDEX IF NOT EXISTS objects_due ON objects (kind, due_at) WHERE due_at IS NOT NULL;
""" + "".join(
    f"CREATE INDEX IF NOT EXISTS objects_by_{column} ON objects ({column}, kind, created, sequence)"
    f" WHERE {column} IS NOT NULL;\n"
    for column in _TEXT_COLUMNS
)
_PUT = (
    f"INSERT INTO objects (id, kind, due_at, created, {', '.join(_TEXT_COLUMNS)}, body)"  # noqa: S608 (no outside text)
    f" VALUES (?, ?, ?, ?, {'?, ' * len(_TEXT_COLUMNS)}?)"
    " ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, body = excluded.body, "
    + ", ".join(f"{column} = excluded.{column}" for column in _TEXT_COLUMNS)
)
_OPERATORS = frozenset({"=", ">", ">=", "<", "<="})


@dataclass(frozen=True)
class Condition:
    """One filter of a list: a field by its JSON path, an operator and a value (several values mean any of them)."""

    path: str
    operator: str
    value: object

    def as_sql(self) -> tuple[str, list[object]]:
        """The SQL of the filter and its parameters."""
        field, path = _COLUMNS.get(self.path, "json_extract(body, ?)"), [f"$.{self.path}"]
        known: list[object] = [] if self.path in _COLUMNS else [*path]
        if isinstance(self.value, list | tuple):
            marks = ", ".join("?" * len(self.value))
            return f"+{field} IN ({marks})", [*known, *self.value]  # a plus: the order is worth more than this filter
        if self.value is None:
            return f"{field} IS NULL", known
        if self.operator not in _OPERATORS:
            raise ValueError(f"Unknown operator {self.operator}")
        return f"{field} {self.operator} ?", [*known, self.value]


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
        self._prepare_table()

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
        self._select(_PUT, _row_of(resource, json.dumps(resource), due_at))
        self.has_new_due = self.has_new_due or due_at is not None

    def sequence_of(self, resource_id: str, *, kind: str) -> int | None:
        """Where the object stands in its list, or None."""
        row = self._select("SELECT sequence FROM objects WHERE id = ? AND kind = ?", [resource_id, kind]).fetchone()
        return int(row[0]) if row else None

    def put_many(self, rows: Iterable[tuple[Resource, str]]) -> None:
        """Save many objects at once: of each the fields that lists filter by, and the whole as JSON."""
        self._require_unit()
        self._connection.executemany(_PUT, (_row_of(fields, body, None) for fields, body in rows))

    def find(
        self,
        kind: str,
        conditions: Sequence[Condition] = (),
        *,
        above: int | None = None,
        limit: int | None = None,
    ) -> list[Resource]:
        """Objects of a kind, the latest saved first; ``above`` (``sequence_of`` one of them) leaves out the earlier."""
        clauses, values = _where(kind, conditions)
        if above is not None:
            clauses.append("sequence > ?")
            values.append(above)
        return self._read(clauses, "sequence DESC", [*values, -1 if limit is None else limit])

    def find_page(
        self,
        kind: str,
        conditions: Sequence[Condition] = (),
        *,
        after: str | None = None,
        before: str | None = None,
        limit: int,
    ) -> list[Resource]:
        """Objects of a kind by the time they were made, newest first: those after one of them, or just before one."""
        clauses, values = _where(kind, conditions)
        for cursor, operator in ((after, "<"), (before, ">")):
            if cursor is not None:
                place = self._select("SELECT created, sequence FROM objects WHERE id = ?", [cursor]).fetchone()
                clauses.append(f"(created, sequence) {operator} (?, ?)")
                values += place
        if before is not None:
            return self._read(clauses, "created ASC, sequence ASC", [*values, limit])[::-1]
        return self._read(clauses, "created DESC, sequence DESC", [*values, limit])

    def explain_page(self, kind: str, conditions: Sequence[Condition]) -> list[str]:
        """How a page would be found, in the database's own words."""
        clauses, values = _where(kind, conditions)
        order = f"WHERE {' AND '.join(clauses)} ORDER BY created DESC, sequence DESC"
        return [row[3] for row in self._select(f"EXPLAIN QUERY PLAN SELECT body FROM objects {order}", values)]  # noqa: S608

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

    def copy_out(self) -> sqlite3.Connection:
        """Everything as it is now, in a database of its own."""
        with self._lock:
            copied = sqlite3.connect(":memory:", check_same_thread=False)
            self._connection.backup(copied)
            return copied

    def copy_in(self, copied: sqlite3.Connection) -> None:
        """Go back to what ``copy_out`` gave."""
        with self._lock:
            copied.backup(self._connection)

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

    def _read(self, clauses: list[str], order: str, values: list[object]) -> list[Resource]:
        statement = f"SELECT body FROM objects WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ?"  # noqa: S608 (no outside text)
        return [json.loads(row[0]) for row in self._select(statement, values).fetchall()]

    def _select(self, statement: str, parameters: Sequence[object]) -> sqlite3.Cursor:
        self._require_unit()
        return self._connection.execute(statement, parameters)

    def _require_unit(self) -> None:
        if self._depth == 0:
            raise RuntimeError("The store is used outside of unit().")

    def _prepare_table(self) -> None:
        """Make the table, or give one of an earlier version the columns that it lacks."""
        self._connection.executescript(_TABLE)
        known = {row[1] for row in self._connection.execute("PRAGMA table_info(objects)")}
        for column in {"created", *_TEXT_COLUMNS} - known:
            kind = "INTEGER NOT NULL DEFAULT 0" if column == "created" else "TEXT"
            self._connection.execute(f"ALTER TABLE objects ADD COLUMN {column} {kind}")
        for path, column in _COLUMNS.items():
            if column not in known:
                fill = f"UPDATE objects SET {column} = json_extract(body, ?) WHERE json_extract(body, ?) IS NOT NULL"  # noqa: S608
                self._connection.execute(fill, [f"$.{path}", f"$.{path}"])
        self._connection.executescript(_INDEXES)


def _row_of(resource: Resource, body: str, due_at: float | None) -> list[object]:
    texts: list[object] = []
    for column in _TEXT_COLUMNS:
        value = resource.get(column)
        texts.append(value if isinstance(value, str) else None)
    if "payment" in resource:  # an invoice payment's
        texts[_TEXT_COLUMNS.index("payment_intent")] = resource["payment"].get("payment_intent")
    return [resource["id"], resource["object"], due_at, resource.get("created", 0), *texts, body]


def _where(kind: str, conditions: Sequence[Condition]) -> tuple[list[str], list[object]]:
    clauses = ["kind = ?"]
    values: list[object] = [kind]
    for condition in conditions:
        clause, more = condition.as_sql()
        clauses.append(clause)
        values += more
    return clauses, values
