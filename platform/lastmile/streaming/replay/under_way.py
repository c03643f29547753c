"""Replays in Postgres: begun and ended while all partitions of the stream are held, so that each event is in exactly
one of two: before the cut, where landed objects have it, or after, where the live stream adds it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import polars as pl
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from lastmile.errors import UserError
from lastmile.streaming.consumer.positions import stored_watermark
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.declarations.windows import Window
from lastmile.streaming.replay.ranges import Range
from lastmile.streaming.windows.table import WindowTable


class Replayable(Protocol):
    """The operator of a window, as a replay uses it."""

    @property
    def window(self) -> Window: ...
    @property
    def table(self) -> WindowTable: ...
    def prepare(self, connection: Connection) -> None: ...
    def reduce(self, events: pl.DataFrame) -> pl.DataFrame: ...
    def replay_part(self, connection: Connection, reduced: pl.DataFrame, span: Range) -> None: ...
    def replay_range(self, connection: Connection, wanted: Range) -> Range: ...
    def events_of(self, span: Range) -> Range: ...
    def exchange(self, connection: Connection) -> None: ...


@dataclass(frozen=True)
class Replayed:
    """What became of a window: its rows in the range, before and after, and how many are others than before."""

    window: str
    span: Range
    rows_before: int
    rows_after: int
    rows_changed: int
    events: int


#: Why a replay ended that its process did not end.
KILLED = "ended before it was done"
_HELD = "SELECT partition, committed, landed FROM streams.positions WHERE stream = %s AND topic = %s ORDER BY partition"


@contextmanager
def only_one(connection: Connection, stream: str) -> Iterator[None]:
    """Raises UserError while another process replays the stream."""
    name = f"replay of {stream}"
    row = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name]).fetchone()
    if not row or not row[0]:
        raise UserError(f"a replay of {stream} is under way already; wait until it is done")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])


def begin(
    connection: Connection, stream: Stream, windows: Sequence[Replayable], wanted: Range
) -> tuple[dict[int, int], dict[str, Range]]:
    """From now on the live stream adds to what is replayed too. The cuts by partition, and the range of each window."""
    with connection.transaction():
        cuts = {partition: committed for partition, committed, _ in _held(connection, stream) if committed is not None}
        spans = {}
        for one in windows:
            name = one.window.name
            _drop(connection, one, KILLED)
            spans[name] = span = one.replay_range(connection, wanted)
            connection.execute(
                sql.SQL(
                    "CREATE UNLOGGED TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES"
                    " INCLUDING GENERATED)"
                ).format(one.table.replayed, one.table.live)
            )
            connection.execute(
                "INSERT INTO streams.replays (stream, window_name, first, until, cuts) VALUES (%s, %s, %s, %s, %s)",
                [stream.name, name, span.first, span.until, Jsonb(cuts)],
            )
    return cuts, spans


def unlanded(connection: Connection, stream: Stream, cuts: Mapping[int, int]) -> int:
    """How many messages from before the cuts are not landed yet."""
    rows = connection.execute(_HELD, [stream.name, stream.topic]).fetchall()
    return sum(max(cuts.get(partition, 0) - (landed or 0), 0) for partition, _, landed in rows)


def finish(
    connection: Connection, stream: Stream, windows: Sequence[Replayable], spans: Mapping[str, Range], events: int
) -> list[Replayed]:
    """Put what was replayed in the place of what was there, for all windows at once."""
    with connection.transaction():
        _held(connection, stream)
        watermark = stored_watermark(connection, stream.name)
        found = []
        for one in windows:
            name, span = one.window.name, spans[one.window.name]
            within = span.holds(sql.Identifier("window_start"))
            before, after, changed = _compare(connection, one.table, within)
            connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(one.table.live, within))
            one.exchange(connection)
            if watermark is not None:
                one.table.finish(connection, watermark)
            connection.execute(
                "UPDATE streams.replays SET ended_at = clock_timestamp(), events = %s, rows_before = %s,"
                " rows_after = %s, rows_changed = %s WHERE window_name = %s AND ended_at IS NULL",
                [events, before, after, changed, name],
            )
            connection.execute(sql.SQL("DROP TABLE {}").format(one.table.replayed))
            found.append(Replayed(name, span, before, after, changed, events))
    return found


def give_up(connection: Connection, stream: Stream, windows: Sequence[Replayable], why: str) -> None:
    """Leave everything as it is."""
    with connection.transaction():
        _held(connection, stream)
        for one in windows:
            _drop(connection, one, why)


def abandoned(connection: Connection) -> list[str]:
    """Streams with a replay that has not ended: it is under way, or was killed."""
    query = "SELECT DISTINCT stream FROM streams.replays WHERE ended_at IS NULL ORDER BY 1"
    return [stream for (stream,) in connection.execute(query).fetchall()]


def abandon(connection: Connection, stream: str) -> None:
    """Drop what a killed replay made, to which the live stream adds in vain. For who has `only_one`."""
    with connection.transaction():
        connection.execute(
            "SELECT FROM streams.positions WHERE stream = %s ORDER BY topic, partition FOR UPDATE", [stream]
        )
        ended = connection.execute(
            "UPDATE streams.replays SET ended_at = clock_timestamp(), problem = %s"
            " WHERE stream = %s AND ended_at IS NULL RETURNING window_name",
            [KILLED, stream],
        ).fetchall()
        for (window,) in ended:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("replays", window)))
        connection.execute("DELETE FROM streams.keys WHERE stream = %s", [replayed_keys(stream)])


def replayed_keys(stream: str) -> str:
    """Under which name the keys of a replay are remembered while it is under way."""
    return f"{stream} replayed"


def rows_within(connection: Connection, one: Replayable, span: Range) -> int:
    """How many rows of a window the range has."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
        one.table.live, span.holds(sql.Identifier("window_start"))
    )
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _held(connection: Connection, stream: Stream) -> list[tuple[int, int | None, int | None]]:
    return connection.execute(f"{_HELD} FOR UPDATE".encode(), [stream.name, stream.topic]).fetchall()


def _drop(connection: Connection, one: Replayable, why: str) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(one.table.replayed))
    connection.execute(
        "UPDATE streams.replays SET ended_at = clock_timestamp(), problem = %s"
        " WHERE window_name = %s AND ended_at IS NULL",
        [why, one.window.name],
    )


def _compare(connection: Connection, table: WindowTable, within: sql.Composed) -> tuple[int, int, int]:
    """Rows before, rows after, and rows after that were not there before so."""
    query = sql.SQL(
        """
        SELECT (SELECT count(*) FROM {live} WHERE {within}), (SELECT count(*) FROM {made}), (SELECT count(*) FROM (
            SELECT {columns} FROM {made} EXCEPT ALL SELECT {columns} FROM {live} WHERE {within}) others)
        """
    ).format(live=table.live, made=table.replayed, columns=table.columns, within=within)
    before, after, changed = connection.execute(query).fetchone() or (0, 0, 0)
    return before, after, changed
