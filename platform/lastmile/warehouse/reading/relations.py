"""What can be read: a table or view with its columns, and by what its rows can be distinguished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import Connection, sql

WHOLE = frozenset({"smallint", "integer", "bigint"})
FLOATS = frozenset({"double precision", "real"})
NUMBERS = WHOLE | FLOATS | {"numeric"}
MOMENTS = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
TEXTS = frozenset({"text", "character varying", "character"})
#: Types with an order that people expect.
SORTABLE = NUMBERS | MOMENTS | TEXTS | {"boolean", "uuid", "time without time zone", "interval", "pg_lsn"}

_FIND = """
    SELECT c.oid, c.relkind, obj_description(c.oid, 'pg_class'),
        (SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
          WHERE oid = c.oid OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid)),
        EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid),
        (SELECT array_agg(attname::text ORDER BY position) FROM pg_index,
            unnest(indkey::smallint[]) WITH ORDINALITY AS part (number, position), pg_attribute
          WHERE indrelid = c.oid AND indisprimary AND attrelid = c.oid AND attnum = part.number)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname = %s AND relname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_COLUMNS = """
    SELECT attname, format_type(atttypid, NULL), coalesce(col_description(attrelid, attnum), ''), attnotnull
    FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    description: str = ""
    not_null: bool = False

    @property
    def value(self) -> sql.Composable:
        return sql.Identifier(self.name)


@dataclass(frozen=True)
class Relation:
    """`source` stands after FROM; `key` tells its rows apart where it `is_unique`, else it is what people know rows by.

    `is_stored`: its rows have a place (`tableoid`, `ctid`), by which they can be distinguished as well.
    """

    name: str
    source: sql.Composable
    columns: Mapping[str, Column]
    key: Sequence[str] = ()
    is_unique: bool = False
    is_stored: bool = False
    rows: int = 0
    description: str = ""


@dataclass(frozen=True)
class Selection:
    """Some columns, each with the expression of what is shown of it, of the rows that fulfil a condition."""

    relation: Relation
    columns: Mapping[str, sql.Composable]
    where: sql.Composable

    @property
    def select(self) -> sql.Composable:
        return sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(shown, sql.Identifier(name)) for name, shown in self.columns.items()
        )


def find(connection: Connection, schema: str, name: str, key: Sequence[str] = ()) -> Relation | None:
    """The relation, None where there is none. `key` is what is declared; a primary key comes first."""
    found = connection.execute(_FIND, [schema, name]).fetchone()
    if found is None:
        return None
    oid, kind, description, rows, has_parts, primary = found
    columns = {row[0]: Column(*row) for row in connection.execute(_COLUMNS, [oid]).fetchall()}
    return Relation(
        f"{schema}.{name}",
        sql.Identifier(schema, name),
        columns,
        primary or [one for one in key if one in columns],
        is_unique=bool(primary) and not (has_parts and kind == "r"),
        is_stored=kind in ("r", "p", "m"),
        rows=rows,
        description=description or "",
    )
