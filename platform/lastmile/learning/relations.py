"""Relations and columns as SQL, and the window of days of a partition."""

from collections.abc import Sequence
from datetime import date

from psycopg import sql

#: First day of a partition and first day of the next.
Window = tuple[date, date]


def identifier(table: str) -> sql.Identifier:
    """`schema.table` as SQL."""
    return sql.Identifier(*table.split("."))


def names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
