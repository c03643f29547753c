"""Single rows of any table, found by the values of columns; names are looked up in Postgres, never put together."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection, DataError, sql
from psycopg.rows import dict_row

from lastmile.errors import UserError

Row = dict[str, Any]


def column_types(connection: Connection, schema: str, table: str) -> dict[str, str]:
    """Name and type of each column, in their order; empty where there is no such table or view."""
    found = connection.execute(
        """
        SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = %s AND relname = %s AND relkind IN ('r', 'p', 'v', 'm') AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
        """,
        [schema, table],
    ).fetchall()
    return dict(found)


def rows_with(
    connection: Connection, schema: str, table: str, wanted: Sequence[Mapping[str, Any]], limit: int
) -> list[Row]:
    """Rows that have all the values of one of these, which name the same columns.

    Raises UserError where there is no such table or column, or a value is none of its type.
    """
    types, names = column_types(connection, schema, table), list(wanted[0])
    if unknown := [name for name in names if name not in types]:
        raise UserError(f"{schema}.{table} has no column {', '.join(unknown)}; it has {', '.join(types) or 'none'}")
    one = sql.SQL("({})").format(sql.SQL(" AND ").join(_equal(name, types[name]) for name in names))
    query = sql.SQL("SELECT * FROM {} WHERE {} LIMIT {}").format(
        sql.Identifier(schema, table), sql.SQL(" OR ").join([one] * len(wanted)), sql.Literal(limit)
    )
    values = [str(each[name]) for each in wanted for name in names]
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values).fetchall()
    except DataError:
        expected = ", ".join(f"{name} {types[name]}" for name in names)
        raise UserError(f"{schema}.{table}: a value is not of its column's type; expected {expected}") from None


def _equal(name: str, kind: str) -> sql.Composed:
    return sql.SQL("{} = CAST(%s::text AS {})").format(sql.Identifier(name), sql.SQL(kind))
