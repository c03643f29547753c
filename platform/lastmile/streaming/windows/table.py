"""The table of a window, `windows.<name>`: created as declared, and added to by upserts in the order of its key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.warehouse.binary_copy import BinaryCopy

#: How the parts of an aggregate are merged: the value that is there, and the one that comes.
MERGED = {
    "add": "{there} + {new}",
    "least": "least({there}, {new})",
    "greatest": "greatest({there}, {new})",
}


@dataclass(frozen=True)
class Part:
    """A column that is merged: its type in frames, and one of MERGED."""

    dtype: pl.DataType
    merged: str


@dataclass(frozen=True)
class WindowTable:
    """`keys` and `parts` by name, in order; the key of a row is its keys and its start."""

    name: str
    keys: Mapping[str, pl.DataType]
    parts: Mapping[str, Part]
    description: str

    @property
    def types(self) -> dict[str, pl.DataType]:
        """The columns of what is added."""
        spans = dict.fromkeys(("window_start", "window_end"), pl.Datetime("us", "UTC"))
        return {**self.keys, **spans, **{name: part.dtype for name, part in self.parts.items()}}

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier("windows", self.name)

    @property
    def _staging(self) -> sql.Identifier:
        return sql.Identifier("pg_temp", f"windows_{self.name}"[:63])

    @property
    def _key(self) -> sql.Composed:
        return _listed([*self.keys, "window_start"])

    def prepare(self, connection: Connection, stream: str) -> None:
        """Create it. Raises UserError where a table of that name has other columns."""
        wanted = {name: _postgres(dtype) for name, dtype in self.types.items()}
        defined = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in wanted.items()]
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"windows.{self.name}"])
            found = _columns(connection, self.name)
            if not found:
                self._create(connection, stream, defined)
            elif (there := {name: kind for name, kind in found.items() if name != "is_final"}) != wanted:
                raise UserError(
                    f"windows.{self.name} has the columns {there} and is declared with {wanted}: give the window"
                    " another name, or drop the table and replay the stream"
                )
        connection.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
                sql.Identifier(f"windows_{self.name}"[:63]), sql.SQL(", ").join(defined)
            )
        )

    def _create(self, connection: Connection, stream: str, defined: Sequence[sql.Composed]) -> None:
        columns = sql.SQL(", ").join([*defined, sql.SQL("is_final boolean NOT NULL DEFAULT false")])
        unique = sql.SQL("UNIQUE NULLS NOT DISTINCT ({})").format(self._key)
        connection.execute(sql.SQL("CREATE TABLE {} ({}, {})").format(self._table, columns, unique))
        index = sql.SQL("CREATE INDEX ON {} (window_end) WHERE NOT is_final").format(self._table)
        connection.execute(index)
        said = f"{self.description or 'a window'} (stream {stream})"
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(self._table, sql.Literal(said)))

    def add(self, connection: Connection, rows: pl.DataFrame) -> None:
        """Merge rows, one for each key and span."""
        if not rows.height:
            return
        with BinaryCopy(connection, self._staging, self.types) as copy:
            copy.write(rows)
        merged = [
            sql.SQL("{} = {}").format(
                sql.Identifier(name),
                sql.SQL(MERGED[part.merged]).format(
                    there=sql.SQL("w.{}").format(sql.Identifier(name)),
                    new=sql.SQL("excluded.{}").format(sql.Identifier(name)),
                ),
            )
            for name, part in self.parts.items()
        ]
        columns = _listed(self.types)
        connection.execute(
            sql.SQL(
                "INSERT INTO {table} AS w ({columns}) SELECT {columns} FROM {staging} ORDER BY {key}"
                " ON CONFLICT ({key}) DO UPDATE SET {merged}"
            ).format(
                table=self._table,
                columns=columns,
                staging=self._staging,
                key=self._key,
                merged=sql.SQL(", ").join(merged),
            )
        )

    def finish(self, connection: Connection, watermark: datetime) -> None:
        """Mark what ends by the watermark as final; what another process is at is left for the next time."""
        connection.execute(
            sql.SQL(
                "UPDATE {table} SET is_final = true WHERE ctid IN (SELECT ctid FROM {table} WHERE NOT is_final"
                " AND window_end <= %s FOR UPDATE SKIP LOCKED)"
            ).format(table=self._table),
            [watermark],
        )


def _listed(names: Sequence[str] | Mapping[str, object]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _columns(connection: Connection, name: str) -> dict[str, str]:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [f"windows.{name}"],
    )
    return dict(found.fetchall())


def _postgres(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "bigint"
    if isinstance(dtype, pl.Decimal):
        return "numeric"
    if isinstance(dtype, pl.Datetime):
        return "timestamp with time zone"
    named: dict[pl.DataType, str] = {
        pl.Boolean(): "boolean",
        pl.Date(): "date",
        pl.Float64(): "double precision",
        pl.String(): "text",
        pl.Time(): "time without time zone",
    }
    if dtype not in named:
        raise UserError(f"a window cannot have a column of type {dtype}; cast it, such as to pl.String")
    return named[dtype]
