"""Tumbling windows: a batch adds one row for each key and span that it has events of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from psycopg import Connection

from lastmile.streaming.declarations.aggregates import Aggregate, aggregates
from lastmile.streaming.declarations.windows import Tumbling
from lastmile.streaming.windows.table import Part, WindowTable

#: Of whole numbers, so that no sum of a batch overflows.
_WHOLE = pl.Decimal(38, 0)


@dataclass
class TumblingTable:
    """The operator of one tumbling window. `schema` is that of events after the steps."""

    stream: str
    event_time: str
    window: Tumbling
    schema: Mapping[str, pl.DataType]
    _values: list[pl.Expr] = field(init=False)
    table: WindowTable = field(init=False)

    def __post_init__(self) -> None:
        values = list(aggregates(self.window.values))
        self._values = [_value(one, self.schema) for one in values]
        keys = {name: self.schema[name] for name in self.window.keys}
        reduced = self.reduce(pl.DataFrame(schema=dict(self.schema))).schema
        parts = {one.name: Part(reduced[one.name], _MERGED[one.kind]) for one in values}
        self.table = WindowTable(self.window.name, keys, parts, self.window.description)

    def prepare(self, connection: Connection) -> None:
        self.table.prepare(connection, self.stream)

    def reduce(self, events: pl.DataFrame) -> pl.DataFrame:
        every = self.window.every
        start = pl.col(self.event_time).dt.truncate(every).alias("window_start")
        keyed = events.lazy().group_by(*self.window.keys, start).agg(self._values)
        return keyed.with_columns(window_end=pl.col("window_start") + every).collect(engine="in-memory")

    def apply(self, connection: Connection, reduced: pl.DataFrame, watermark: datetime | None) -> None:
        self.table.add(connection, reduced)
        if watermark is not None:
            self.table.finish(connection, watermark)


_MERGED = {"len": "add", "count": "add", "sum": "add", "min": "least", "max": "greatest"}


def _value(aggregate: Aggregate, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    value = aggregate.input
    match aggregate.kind:
        case "len":
            made = pl.len().cast(pl.Int64)
        case "count":
            made = value.count().cast(pl.Int64)
        case "min":
            made = value.min()
        case "max":
            made = value.max()
        case "sum":
            dtype = pl.DataFrame(schema=dict(schema)).select(value.alias("value")).schema["value"]
            whole = dtype.is_integer() or dtype == pl.Boolean
            made = (value.cast(_WHOLE) if whole else value).sum()
        case other:
            raise ValueError(f"value {aggregate.name!r}: {other} is not made yet")
    return made.alias(aggregate.name)
