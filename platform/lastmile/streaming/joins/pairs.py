"""Pairs of events of two streams: each stream's commits find their partners among the other's events, then wait for
more of them themselves.

Events wait in `joins.<name>_ours` and `joins.<name>_theirs` until the other stream's watermark says that none can come
that is near enough. The two streams take turns, so that of two events that are committed at the same time the second
sees the first: each pair is found once, in the transaction that commits the later of the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

import polars as pl
from psycopg import Connection, sql

from lastmile.errors import UserError
from lastmile.streaming.declarations.columns import postgres_type, stored
from lastmile.streaming.declarations.joins import PAIR, Within
from lastmile.warehouse.binary_copy import BinaryCopy

Side = Literal["ours", "theirs"]
_TIME = pl.Datetime("us", "UTC")
_PLACES = {"partition": "_partition", "offset": "_offset", "index": "_index"}


@dataclass(frozen=True)
class Pairs:
    """The tables of a join. The schemas are those of the two streams' events after their steps."""

    join: Within
    ours: Mapping[str, pl.DataType]
    theirs: Mapping[str, pl.DataType]

    def values(self, side: Side) -> dict[str, str]:
        """Of one side, its columns by what they are called in a pair."""
        return {name: name for name in self.join.columns} if side == "ours" else dict(self.join.other_columns)

    def types(self, side: Side) -> dict[str, pl.DataType]:
        """The columns in which events of a side wait."""
        schema, prefix = (self.ours, "event") if side == "ours" else (self.theirs, "other")
        return {
            **{name: stored(schema[name]) for name in self.join.keys},
            f"{prefix}_time": _TIME,
            **{f"{prefix}_{place}": pl.Int64() for place in _PLACES},
            **{name: stored(schema[column]) for name, column in self.values(side).items()},
        }

    @cached_property
    def columns(self) -> list[str]:
        """Of a pair, in order."""
        return [*self.join.keys, *PAIR, *self.values("ours"), *self.values("theirs")]

    @property
    def table(self) -> sql.Identifier:
        return sql.Identifier("windows", self.join.name)

    def waiting(self, side: Side) -> sql.Identifier:
        return sql.Identifier("joins", f"{self.join.name}_{side}"[:63])

    def prepare(self, connection: Connection, stream: str) -> None:
        """Create them. Raises UserError where tables of these names have other columns."""
        types = self.types("ours") | self.types("theirs")
        with connection.transaction():
            self.take_turns(connection)
            place = [name for name in PAIR if name not in ("event_time", "other_time")]
            _create(connection, self.table, {name: types[name] for name in self.columns}, place)
            said = f"{self.join.description or 'events of two streams'} (streams {stream} and {self.join.stream})"
            connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(self.table, sql.Literal(said)))
            for side in ("ours", "theirs"):
                prefix = "event" if side == "ours" else "other"
                key = [f"{prefix}_{place}" for place in _PLACES]
                _create(connection, self.waiting(side), self.types(side), key, [*self.join.keys, f"{prefix}_time"])

    def take_turns(self, connection: Connection) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"windows.{self.join.name}"])


class PairSide:
    """The operator of one of the two streams of a join."""

    def __init__(self, pairs: Pairs, side: Side, stream: str, event_time: str) -> None:
        self._pairs, self._side, self._stream, self._event_time = pairs, side, stream, event_time
        self._other: Side = "theirs" if side == "ours" else "ours"
        self._types = pairs.types(side)

    @property
    def _staging(self) -> sql.Identifier:
        return sql.Identifier("pg_temp", f"pairs_{self._pairs.join.name}_{self._side}"[:63])

    def prepare(self, connection: Connection) -> None:
        self._pairs.prepare(connection, self._stream)
        connection.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
                self._staging, _defined(self._types)
            )
        )

    def reduce(self, events: pl.DataFrame) -> pl.DataFrame:
        prefix = "event" if self._side == "ours" else "other"
        made = {
            **{name: name for name in self._pairs.join.keys},
            f"{prefix}_time": self._event_time,
            **{f"{prefix}_{place}": column for place, column in _PLACES.items()},
            **self._pairs.values(self._side),
        }
        return (
            events.lazy()
            .drop_nulls(list(self._pairs.join.keys))
            .select(pl.col(column).cast(self._types[name]).alias(name) for name, column in made.items())
            .collect(engine="in-memory")
        )

    def apply(self, connection: Connection, reduced: pl.DataFrame, watermark: datetime | None) -> None:
        if not reduced.height and watermark is None:
            return
        self._pairs.take_turns(connection)
        if reduced.height:
            with BinaryCopy(connection, self._staging, self._types) as copy:
                copy.write(reduced)
            connection.execute(self._found())
            columns = sql.SQL(", ").join(map(sql.Identifier, self._types))
            connection.execute(
                sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
                    self._pairs.waiting(self._side), self._staging, columns=columns
                )
            )
        if watermark is not None:
            self._forget(connection, watermark)

    def _found(self) -> sql.Composed:
        join, columns = self._pairs.join, sql.SQL(", ").join(map(sql.Identifier, self._pairs.columns))
        ours, theirs = sql.Identifier("e"), sql.Identifier("o")
        come, wait = (ours, theirs) if self._side == "ours" else (theirs, ours)
        of_theirs = set(self._pairs.types("theirs")) - set(join.keys)
        selected = [
            sql.SQL("{}.{}").format(theirs if name in of_theirs else ours, sql.Identifier(name))
            for name in self._pairs.columns
        ]
        same = [sql.SQL("e.{key} = o.{key}").format(key=sql.Identifier(name)) for name in join.keys]
        return sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {selected} FROM {staging} {come} JOIN {waiting} {wait} ON {same}"
            " AND o.other_time >= e.event_time - {before} AND o.other_time <= e.event_time + {after}"
        ).format(
            table=self._pairs.table,
            columns=columns,
            selected=sql.SQL(", ").join(selected),
            staging=self._staging,
            come=come,
            waiting=self._pairs.waiting(self._other),
            wait=wait,
            same=sql.SQL(" AND ").join(same),
            before=sql.Literal(join.before),
            after=sql.Literal(join.after),
        )

    def _forget(self, connection: Connection, watermark: datetime) -> None:
        """Delete the other stream's events that no event of this one can be near enough to any more."""
        join = self._pairs.join
        time, reach = ("other_time", join.before) if self._side == "ours" else ("event_time", join.after)
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE {} < %s").format(self._pairs.waiting(self._other), sql.Identifier(time)),
            [watermark - reach],
        )


def _create(
    connection: Connection,
    table: sql.Identifier,
    types: Mapping[str, pl.DataType],
    key: list[str],
    sought: list[str] | None = None,
) -> None:
    name = table.as_string(connection)
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [name],
    ).fetchall()
    wanted = {column: postgres_type(dtype).removesuffix(' COLLATE "C"') for column, dtype in types.items()}
    if found and dict(found) != wanted:
        raise UserError(
            f"{name} has the columns {dict(found)} and is declared with {wanted}: give the join another name"
        )
    if found:
        return
    unique = sql.SQL(", ").join(map(sql.Identifier, key))
    connection.execute(sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(table, _defined(types), unique))
    for columns in [sought, sought[-1:]] if sought else []:
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(table, listed))


def _defined(types: Mapping[str, pl.DataType]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(postgres_type(dtype))) for name, dtype in types.items()
    )
