"""The table of a window: created as declared, and merged with what a batch adds in the order of its key.

While a replay is under way there are two of them: `windows.<name>`, and `replays.<name>` with what is made anew, which
has the rows of its range only. What comes from the live stream is merged into both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import polars as pl
from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.streaming.declarations.columns import postgres_type
from lastmile.streaming.windows.parts import Part, merged_by_sql
from lastmile.warehouse.binary_copy import BinaryCopy

#: Room for new versions of rows on their own page, and no wait for a fifth of the table to be dead.
_STORAGE = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05"
_SPAN = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class WindowTable:
    """`keys` are types by name, `parts` what is merged, `shown` what Postgres makes of these. A row is found by its
    keys and `found_by`, one of `window_start` and `window_end`."""

    name: str
    keys: Mapping[str, pl.DataType]
    parts: Mapping[str, Part]
    shown: Mapping[str, str]
    description: str
    found_by: str = "window_start"

    @cached_property
    def types(self) -> dict[str, pl.DataType]:
        """The columns of what is added."""
        spans = dict.fromkeys(("window_start", "window_end"), _SPAN)
        return {**self.keys, **spans, **{name: part.dtype for name, part in self.parts.items()}}

    @property
    def live(self) -> sql.Identifier:
        return sql.Identifier("windows", self.name)

    @property
    def replayed(self) -> sql.Identifier:
        return sql.Identifier("replays", self.name)

    @property
    def staging(self) -> sql.Identifier:
        return sql.Identifier("pg_temp", f"windows_{self.name}"[:63])

    @property
    def columns(self) -> sql.Composed:
        return listed(list(self.types))

    @property
    def key(self) -> sql.Composed:
        return listed([*self.keys, self.found_by])

    def prepare(self, connection: Connection, stream: str) -> None:
        """Create it. Raises UserError where a table of that name has other columns."""
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"windows.{self.name}"])
            found = _columns(connection, self.name)
            if not found:
                self._create(connection, stream)
            elif found != self._wanted():
                raise UserError(
                    f"windows.{self.name} has the columns {_in_words(found)} and is declared with"
                    f" {_in_words(self._wanted())}: give the window another name; or drop the table, start the"
                    " stream's processes anew and replay it"
                )
        self.stage_table(connection, self.staging)

    def stage_table(self, connection: Connection, name: sql.Identifier) -> None:
        """A temporary table for what is added, for the transactions of this connection."""
        defined = [self._defined(column, kind) for column, kind in self.types.items()]
        connection.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
                name, sql.SQL(", ").join(defined)
            )
        )

    def stage(self, connection: Connection, rows: pl.DataFrame) -> None:
        with BinaryCopy(connection, self.staging, self.types) as copy:
            copy.write(rows)

    def merge(self, connection: Connection, into: sql.Identifier, within: sql.Composable) -> None:
        """Merge staged rows, one for each key and span, as far as they are within a range."""
        merged = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.SQL(merged_by_sql(name, part.merged, "w", "excluded")))
            for name, part in self.parts.items()
        ]
        connection.execute(
            sql.SQL(
                "INSERT INTO {into} AS w ({columns}) SELECT {columns} FROM {staging} WHERE {within} ORDER BY {key}"
                " ON CONFLICT ({key}) DO UPDATE SET {merged}"
            ).format(
                into=into,
                columns=self.columns,
                staging=self.staging,
                within=within,
                key=self.key,
                merged=sql.SQL(", ").join(merged),
            )
        )

    def finish(self, connection: Connection, watermark: datetime) -> None:
        """Mark what ends by the watermark as final; what another process is at is left for the next time."""
        connection.execute(
            sql.SQL(
                "UPDATE {table} SET is_final = true WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE NOT is_final"
                " AND window_end <= %s FOR UPDATE SKIP LOCKED))"
            ).format(table=self.live),
            [watermark],
        )

    def _create(self, connection: Connection, stream: str) -> None:
        defined = [self._defined(column, kind) for column, kind in self.types.items()]
        defined += [
            sql.SQL("{} double precision GENERATED ALWAYS AS ({}) STORED").format(sql.Identifier(name), sql.SQL(made))
            for name, made in self.shown.items()
        ]
        defined += [
            sql.SQL("{} boolean NOT NULL DEFAULT false").format(sql.Identifier("is_final")),
            sql.SQL("UNIQUE NULLS NOT DISTINCT ({})").format(self.key),
        ]
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}) WITH ({})").format(self.live, sql.SQL(", ").join(defined), sql.SQL(_STORAGE))
        )
        connection.execute(sql.SQL("CREATE INDEX ON {} (window_end) WHERE NOT is_final").format(self.live))
        said = f"{self.description or 'a window'} (stream {stream})"
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(self.live, sql.Literal(said)))

    def _defined(self, column: str, dtype: pl.DataType) -> sql.Composed:
        return sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(postgres_type(dtype)))

    def _wanted(self) -> dict[str, str]:
        types = {name: postgres_type(dtype).removesuffix(' COLLATE "C"') for name, dtype in self.types.items()}
        return {**types, **dict.fromkeys(self.shown, "double precision"), "is_final": "boolean"}


def listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _columns(connection: Connection, name: str) -> dict[str, str]:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(format('windows.%%I', %s::text)) AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum",
        [name],
    )
    return dict(found.fetchall())


def _in_words(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in sorted(columns.items()))
