"""Rows of a model by statements whose text is constant.

The ORM builds the text of a statement anew each time, which takes longer than PostgreSQL takes to carry it out. Where
the speed of a call counts, its statements are written out; what they read and write are rows of a model all the same.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)


class Rows(Generic[Row]):
    """Reads and writes whole rows of a model."""

    def __init__(self, model: type[Row]) -> None:
        self._model = model

    @cached_property
    def width(self) -> int:
        """How many columns a row has."""
        return len(self._fields)

    def columns(self, alias: str) -> str:
        """The columns for a SELECT from a table, or alias, of that name.

        Raises:
            TypeError: a value would have to be converted when it is read.
        """
        if any(hasattr(field, "from_db_value") for field in self._fields):
            raise TypeError(f"{self._model.__name__} has columns that the database does not give as they are.")
        return ", ".join(f"{alias}.{field.column}" for field in self._fields)

    def read(self, values: Sequence[Any]) -> Row:
        """The row of what was selected by `columns`."""
        return self._model.from_db(connection.alias, self._names, values)

    def insert(self, row: Row) -> None:
        """Write a new row; it gets its id."""
        values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in self._fields[1:]]
        with connection.cursor() as cursor:
            cursor.execute(self._insert, values)
            (row.pk,) = cursor.fetchone()
        row._state.adding, row._state.db = False, connection.alias

    @cached_property
    def _fields(self) -> Sequence[Any]:
        return self._model._meta.concrete_fields  # the id comes first

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self._fields]

    @cached_property
    def _insert(self) -> str:
        columns = ", ".join(field.column for field in self._fields[1:])
        places = ", ".join(["%s"] * (self.width - 1))
        table = self._model._meta.db_table
        return f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608  # names of ours only
