"""Sessions: a batch has parts of sessions, each of which may extend one that is there, or join two.

Every session there is that a part overlaps is deleted, and what comes of all of them together is inserted. Processes
take turns at this: two of them may have parts of the same session.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl
from psycopg import Connection, sql

from lastmile.streaming.consumer.positions import stored_watermark
from lastmile.streaming.declarations.aggregates import aggregates
from lastmile.streaming.declarations.columns import stored
from lastmile.streaming.declarations.windows import Session
from lastmile.streaming.replay.ranges import Range, replayed_range
from lastmile.streaming.windows.parts import aggregated_by_sql, parts_of
from lastmile.streaming.windows.table import WindowTable, listed


class Sessions:
    """The operator of one session window. `schema` is that of events after the steps."""

    def __init__(
        self, stream: str, event_time: str, late: str, window: Session, schema: Mapping[str, pl.DataType]
    ) -> None:
        self._stream, self._event_time, self._late, self.window = stream, event_time, late, window
        self._keys = {name: stored(schema[name]) for name in window.keys}
        self._parts, shown = parts_of(list(aggregates(window.values)), event_time, schema)
        self.table = WindowTable(window.name, self._keys, self._parts, shown, window.description, found_by="window_end")

    @property
    def _gathered(self) -> sql.Identifier:
        """Sessions that are there and parts of sessions that come, to be put together."""
        return sql.Identifier("pg_temp", f"sessions_{self.window.name}"[:63])

    def prepare(self, connection: Connection) -> None:
        self.table.prepare(connection, self._stream)
        self.table.stage_table(connection, self._gathered)

    def reduce(self, events: pl.DataFrame) -> pl.DataFrame:
        gap, time, keys = self.window.gap, pl.col(self._event_time), list(self._keys)
        cast = [pl.col(name).cast(dtype).alias(f" {name}") for name, dtype in self._keys.items()]
        of_keys = [f" {name}" for name in keys]
        begins = pl.any_horizontal(
            *(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in of_keys),
            (time - time.shift(1) >= gap).fill_null(True),
        )
        span = pl.Datetime("us", "UTC")
        return (
            events.lazy()
            .with_columns(cast)
            .sort(*of_keys, self._event_time, "_partition", "_offset", "_index")
            .with_columns(begins.cum_sum().alias(" session"))
            .group_by(" session")
            .agg(
                *(pl.col(name).first().alias(name.strip()) for name in of_keys),
                time.first().cast(span).alias("window_start"),
                (time.last() + gap).cast(span).alias("window_end"),
                *(part.value.alias(f" {name}") for name, part in self._parts.items()),
            )
            .select(*keys, "window_start", "window_end", *(pl.col(f" {name}").alias(name) for name in self._parts))
            .collect(engine="in-memory")
        )

    def apply(self, connection: Connection, reduced: pl.DataFrame, watermark: datetime | None) -> None:
        if reduced.height:
            self._take_turns(connection)
            self.table.stage(connection, reduced)
            self._merge(connection, self.table.live, self._nulls(reduced), Range())
            if (span := replayed_range(connection, self.window.name)) is not None:
                self._merge(connection, self.table.replayed, self._nulls(reduced), span)
        if watermark is not None:
            self.table.finish(connection, watermark)

    def replay_part(self, connection: Connection, reduced: pl.DataFrame, span: Range) -> None:
        """Add what landed events make."""
        self._take_turns(connection)
        self.table.stage(connection, reduced)
        self._merge(connection, self.table.replayed, self._nulls(reduced), span)

    def replay_range(self, connection: Connection, wanted: Range) -> Range:
        """The range made so long that no session lies across its ends, nor will: without an end where events still
        come, and of all there is where late events may join any sessions."""
        if self._late == "update":
            return Range()
        watermark = stored_watermark(connection, self._stream)
        first = wanted.first and watermark and min(wanted.first, watermark)
        until = wanted.until if watermark and wanted.until and wanted.until <= watermark else None
        return Range(
            self._across(connection, first, "min(window_start)"), self._across(connection, until, "max(window_end)")
        )

    def events_of(self, span: Range) -> Range:
        """When events happened that are in windows of the range."""
        return span

    def exchange(self, connection: Connection) -> None:
        """Put what was replayed in the place of what was there; with another gap it may join what lies around it."""
        self._take_turns(connection)
        connection.execute(
            sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
                self.table.staging, self.table.replayed, columns=self.table.columns
            )
        )
        some = connection.execute(sql.SQL("SELECT DISTINCT {} FROM {}").format(self._is_null, self.table.staging))
        self._merge(connection, self.table.live, some.fetchall(), Range())

    def _across(self, connection: Connection, bound: datetime | None, end: str) -> datetime | None:
        if bound is None:
            return None
        query = sql.SQL("SELECT {} FROM {} WHERE window_start < %(at)s AND window_end > %(at)s").format(
            sql.SQL(end), self.table.live
        )
        row = connection.execute(query, {"at": bound}).fetchone()
        return row[0] if row and row[0] else bound

    def _take_turns(self, connection: Connection) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"windows.{self.window.name}"])

    @property
    def _is_null(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.SQL("{} IS NULL").format(sql.Identifier(name)) for name in self._keys)

    def _nulls(self, rows: pl.DataFrame) -> list[tuple[bool, ...]]:
        return rows.select(pl.col(name).is_null() for name in self._keys).unique().rows()

    def _merge(
        self, connection: Connection, into: sql.Identifier, nulls: Sequence[tuple[bool, ...]], within: Range
    ) -> None:
        """`nulls` say which keys are null together in what is staged: so each look-up is one that an index answers."""
        columns, gathered = self.table.columns, self._gathered
        connection.execute(
            sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {} WHERE {}").format(
                gathered, self.table.staging, within.holds(sql.Identifier("window_start")), columns=columns
            )
        )
        of_table = sql.SQL(", ").join(sql.SQL("w.{}").format(sql.Identifier(name)) for name in self.table.types)
        for pattern in sorted(nulls):
            connection.execute(
                sql.SQL(
                    "WITH there AS (DELETE FROM {into} w USING {gathered} n WHERE {same}"
                    " AND w.window_end > n.window_start AND w.window_start < n.window_end RETURNING {of_table})"
                    " INSERT INTO {gathered} ({columns}) SELECT {columns} FROM there"
                ).format(into=into, gathered=gathered, same=self._same(pattern), of_table=of_table, columns=columns)
            )
        connection.execute(self._together(into))
        connection.execute(sql.SQL("DELETE FROM {}").format(gathered))

    def _same(self, pattern: tuple[bool, ...]) -> sql.Composed:
        conditions = [
            sql.SQL("w.{key} IS NULL AND n.{key} IS NULL" if is_null else "w.{key} = n.{key}").format(
                key=sql.Identifier(name)
            )
            for name, is_null in zip(self._keys, pattern, strict=True)
        ]
        return sql.SQL(" AND ").join(conditions)

    def _together(self, into: sql.Identifier) -> sql.Composed:
        """Of those that overlap the one. A session ends before the next begins, so it is a new one where no earlier
        has gone on beyond its start."""
        merged = [sql.SQL(aggregated_by_sql(name, part.merged, part.dtype)) for name, part in self._parts.items()]
        return sql.SQL(
            """
            INSERT INTO {into} ({columns})
            SELECT {keys}, min(window_start), max(window_end), {merged} FROM (
                SELECT *, count(*) FILTER (WHERE " begins")
                    OVER (PARTITION BY {keys} ORDER BY window_start, window_end) AS " session"
                FROM (SELECT *, window_start >= coalesce(max(window_end) OVER (PARTITION BY {keys}
                    ORDER BY window_start, window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '-infinity')
                    AS " begins" FROM {gathered}) marked
            ) numbered GROUP BY {keys}, " session"
            """
        ).format(
            into=into,
            columns=self.table.columns,
            keys=listed(list(self._keys)),
            merged=sql.SQL(", ").join(merged),
            gathered=self._gathered,
        )
