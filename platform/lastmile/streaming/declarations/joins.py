"""Joins of a stream: with a table of the warehouse as of the time of each event, and with another stream.

    AsOf(
        name="prices",
        relation="marts.dim_prices",
        keys=("product",),
        valid_from="valid_from",
        columns={"price": pl.Decimal(12, 2)},
        refresh=timedelta(minutes=5),
    )

is one of a stream's steps: those behind it, and the windows, see `price`. And

    Within(
        name="orders_with_clicks",
        stream="clicks",
        keys=("visitor",),
        before=timedelta(minutes=30),
        columns=("order", "amount"),
        other_columns={"campaign": "campaign"},
    )

is one of its joins: `windows.orders_with_clicks` has a row for each pair of an event and one of the other stream with
the same keys, at most `before` earlier or `after` later. A key that is empty has no partner, as in SQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS
from lastmile.streaming.declarations.columns import stored

#: Columns that each pair has: when the two events happened, and where they are in their topics.
PAIR = (
    "event_time",
    "other_time",
    *(f"{side}_{place}" for side in ("event", "other") for place in ("partition", "offset", "index")),
)
_ROW = " row"


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """Columns of a table's row with the keys of the event: of several, the newest valid by then; null where none is."""

    name: str
    #: Schema and name.
    relation: str
    #: Columns of the event, and of the table; the same name for both, or by the event's the table's.
    keys: tuple[str, ...] | Mapping[str, str]
    #: The columns that are added, with their types.
    columns: Mapping[str, pl.DataType | type[pl.DataType]]
    #: The column of the table from which on a row is valid; None: it has one row for each key.
    valid_from: str | None = None
    #: How often the table is read again.
    refresh: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        schema, dot, name = self.relation.partition(".")
        if not (schema and dot and name):
            raise ValueError(f"lookup {self.name!r}: expected schema.table; found relation {self.relation!r}")
        if not self.keys or not self.columns:
            raise ValueError(f"lookup {self.name!r}: expected keys to find rows by, and columns to add")
        if self.refresh < timedelta(seconds=1):
            raise ValueError(f"lookup {self.name!r}: expected a refresh of at least a second; found {self.refresh}")
        if misnamed := [name for name in (self.name, *self.columns) if not COLUMN_NAME.fullmatch(name)]:
            raise ValueError(f"lookup {self.name!r}: {misnamed} must be {COLUMN_NAME_IN_WORDS}")

    @property
    def by(self) -> dict[str, str]:
        """The table's column by that of the event."""
        return dict(self.keys) if isinstance(self.keys, Mapping) else {name: name for name in self.keys}

    @property
    def read(self) -> list[str]:
        """The columns of the table that are read."""
        return list(dict.fromkeys([*self.by.values(), *([self.valid_from] if self.valid_from else []), *self.columns]))

    def looked_up(self, events: pl.LazyFrame, table: pl.DataFrame | None, event_time: str) -> pl.LazyFrame:
        """The events, in their order, with the columns; without a table, of no value."""
        if table is None:
            return events.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in self.columns.items())
        schema = events.collect_schema()
        keyed = table.lazy().select(
            *(pl.col(theirs).cast(schema[ours]).alias(f" {ours}") for ours, theirs in self.by.items()),
            *(pl.col(name).cast(dtype).alias(f" {name} ") for name, dtype in self.columns.items()),
            *([pl.col(self.valid_from).cast(schema[event_time]).alias(" from")] if self.valid_from else []),
        )
        events = events.drop(name for name in self.columns if name in schema and name not in self.by)
        ours, theirs = list(self.by), [f" {name}" for name in self.by]
        keyed = keyed.drop_nulls(theirs)
        if self.valid_from is None:
            found = events.join(keyed, left_on=ours, right_on=theirs, how="left", maintain_order="left")
        else:
            found = (
                events.with_row_index(_ROW)
                .sort(event_time)
                .join_asof(
                    keyed.drop_nulls(" from").sort(" from"),
                    left_on=event_time,
                    right_on=" from",
                    by_left=ours,
                    by_right=theirs,
                    check_sortedness=False,
                )
                .sort(_ROW)
                .drop(_ROW, " from", strict=False)
            )
        return found.with_columns(pl.col(f" {name} ").alias(name) for name in self.columns).drop(
            *(f" {name} " for name in self.columns), *theirs, strict=False
        )


@dataclass(frozen=True, kw_only=True)
class Within:
    """Pairs of this stream's events with those of another within an interval, both ends included."""

    name: str
    #: Name of the other stream.
    stream: str
    #: Columns of both, after their steps.
    keys: tuple[str, ...]
    before: timedelta = timedelta(0)
    after: timedelta = timedelta(0)
    #: Columns of this stream's events, and of the other's by the names they have in a pair.
    columns: tuple[str, ...] = ()
    other_columns: Mapping[str, str] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        names = (self.name, *self.keys, *self.columns, *self.other_columns)
        if misnamed := [name for name in names if not COLUMN_NAME.fullmatch(name)]:
            raise ValueError(f"join {self.name!r}: {misnamed} must be {COLUMN_NAME_IN_WORDS}")
        columns = [*self.keys, *self.columns, *self.other_columns, *PAIR]
        if repeated := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(
                f"join {self.name!r}: the columns {repeated} are named twice; rename them in other_columns"
            )
        if not self.keys:
            raise ValueError(f"join {self.name!r}: expected keys that both events have alike")
        if min(self.before, self.after) < timedelta(0) or not (self.before or self.after):
            raise ValueError(f"join {self.name!r}: expected before or after above 0, and neither below")

    def expect_fits(self, ours: Mapping[str, pl.DataType], theirs: Mapping[str, pl.DataType]) -> None:
        """Raises ValueError where one of the streams has not the columns, or not of types that can be stored."""
        for whose, names, schema in (
            ("this stream", [*self.keys, *self.columns], ours),
            (f"stream {self.stream}", [*self.keys, *self.other_columns.values()], theirs),
        ):
            if absent := [name for name in names if name not in schema]:
                raise ValueError(f"join {self.name!r}: {whose} has no columns {absent} after its steps")
            for name in names:
                stored(schema[name])
        if unlike := [name for name in self.keys if stored(ours[name]) != stored(theirs[name])]:
            raise ValueError(f"join {self.name!r}: the keys {unlike} are of different types in the two streams")
