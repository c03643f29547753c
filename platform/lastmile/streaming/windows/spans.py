"""Tumbling and hopping windows: a batch adds one row for each key and span that it has events of.

Spans that overlap are made of panes, the longest spans that lie in each of them whole or not at all: events are added
up by pane, and panes by span, so that an event is looked at once however many spans it is in.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import gcd

import polars as pl
from psycopg import Connection, sql

from lastmile.streaming.declarations.aggregates import aggregates
from lastmile.streaming.declarations.columns import stored
from lastmile.streaming.declarations.windows import Hopping, Tumbling
from lastmile.streaming.replay.ranges import Range, replayed_range
from lastmile.streaming.windows.parts import in_order, merged, parts_of
from lastmile.streaming.windows.table import WindowTable

_EVERYTHING = sql.SQL("true")
_MICROSECOND = timedelta(microseconds=1)


class Spans:
    """The operator of one window with spans of equal length. `schema` is that of events after the steps."""

    def __init__(
        self, stream: str, event_time: str, window: Tumbling | Hopping, schema: Mapping[str, pl.DataType]
    ) -> None:
        self._stream, self._event_time, self.window = stream, event_time, window
        self._every = window.every // _MICROSECOND
        self._size = window.size // _MICROSECOND if isinstance(window, Hopping) else self._every
        self._pane = gcd(self._every, self._size)
        self._keys = {name: stored(schema[name]) for name in window.keys}
        self._parts, shown = parts_of(list(aggregates(window.values)), event_time, schema)
        self.table = WindowTable(window.name, self._keys, self._parts, shown, window.description)

    def prepare(self, connection: Connection) -> None:
        self.table.prepare(connection, self._stream)

    def reduce(self, events: pl.DataFrame) -> pl.DataFrame:
        ordered = in_order(events.lazy(), self._event_time, self._parts)
        keys = [pl.col(name).cast(dtype) for name, dtype in self._keys.items()]
        pane = pl.col(self._event_time).dt.epoch("us").floordiv(self._pane) * self._pane
        made = ordered.group_by(*keys, pane.alias("window_start")).agg(
            part.value.alias(name) for name, part in self._parts.items()
        )
        if self._size != self._every:
            made = self._of_panes(made)
        span = pl.Datetime("us", "UTC")
        start = pl.col("window_start")
        return (
            made.with_columns(start.cast(span), window_end=(start + self._size).cast(span))
            .select(*self.table.types)
            .collect(engine="in-memory")
        )

    def apply(self, connection: Connection, reduced: pl.DataFrame, watermark: datetime | None) -> None:
        if reduced.height:
            self.table.stage(connection, reduced)
            self.table.merge(connection, self.table.live, _EVERYTHING)
            if (span := replayed_range(connection, self.window.name)) is not None:
                self.table.merge(connection, self.table.replayed, span.holds(sql.Identifier("window_start")))
        if watermark is not None:
            self.table.finish(connection, watermark)

    def replay_part(self, connection: Connection, reduced: pl.DataFrame, span: Range) -> None:
        """Add what landed events make."""
        self.table.stage(connection, reduced)
        self.table.merge(connection, self.table.replayed, span.holds(sql.Identifier("window_start")))

    def replay_range(self, _: Connection, wanted: Range) -> Range:
        """Spans that begin in the range."""
        return wanted

    def events_of(self, span: Range) -> Range:
        """When events happened that are in windows of the range."""
        return Range(span.first, span.until and span.until + timedelta(microseconds=self._size))

    def exchange(self, connection: Connection) -> None:
        """Put what was replayed in the place of what was there."""
        connection.execute(
            sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
                self.table.live, self.table.replayed, columns=self.table.columns
            )
        )

    def _of_panes(self, panes: pl.LazyFrame) -> pl.LazyFrame:
        at = pl.col("window_start")
        first = (at - self._size).floordiv(self._every) + 1
        spans = pl.int_ranges(first, at.floordiv(self._every) + 1) * self._every
        return (
            panes.with_columns(spans)
            .explode("window_start", empty_as_null=False)
            .group_by(*self._keys, "window_start")
            .agg(merged(self._parts))
        )
