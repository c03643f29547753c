"""Windows of a stream: a table of the warehouse each, `windows.<name>`, with a row for each key and span of time.

    Tumbling(
        name="sales_by_hour",
        every=timedelta(hours=1),
        keys=("country",),
        values={"lines": pl.len(), "pieces": pl.col("quantity").sum()},
    )

Its columns are the keys, `window_start`, `window_end`, the values, and `is_final`: no event on time can change it.
Spans begin at midnight of 1970 in UTC, or at multiples of `every` from there, before it too; they hold their start, not
their end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from lastmile.contracts.annotated import mistyped
from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS
from lastmile.streaming.declarations.aggregates import aggregates

#: Columns that every window has, and those that say which event was the first or the last.
OWN = (
    "window_start",
    "window_end",
    "is_final",
    *(f"{end}_{place}" for end in ("first", "last") for place in ("at", "partition", "offset", "index")),
)
_LEAST = timedelta(seconds=1)
_MOST_WINDOWS = 1_000


@dataclass(frozen=True, kw_only=True)
class _Window:
    name: str
    values: Mapping[str, pl.Expr]
    keys: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        if found := list(mistyped(self)):
            raise ValueError(f"window {self.name!r}: {'; '.join(found)}")
        names = (self.name, *self.keys, *self.values)
        if misnamed := [name for name in names if not COLUMN_NAME.fullmatch(name)]:
            raise ValueError(f"window {self.name!r}: {misnamed} must be {COLUMN_NAME_IN_WORDS}")
        columns = [*self.keys, *self._columns(), *OWN]
        if repeated := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"window {self.name!r}: the columns {repeated} are named twice; rename the values")
        if not self.values:
            raise ValueError(f"window {self.name!r} has no values: give one, such as events=pl.len()")

    def _columns(self) -> list[str]:
        try:
            return [column for one in aggregates(self.values) for column in one.columns()]
        except ValueError as error:
            raise ValueError(f"window {self.name!r}: {error}") from None

    def _expect_span(self, **spans: timedelta) -> None:
        for name, span in spans.items():
            if span < _LEAST:
                raise ValueError(f"window {self.name!r}: expected {name} of at least a second; found {span}")


@dataclass(frozen=True, kw_only=True)
class Tumbling(_Window):
    """Spans of equal length, one after the other: an event is in one of them."""

    every: timedelta

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect_span(every=self.every)


@dataclass(frozen=True, kw_only=True)
class Hopping(_Window):
    """Spans of length `size` that begin every so often: an event is in about `size / every` of them."""

    size: timedelta
    every: timedelta

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect_span(size=self.size, every=self.every)
        if self.size / self.every > _MOST_WINDOWS:
            raise ValueError(
                f"window {self.name!r}: an event is in {self.size / self.every:,.0f} of its spans; expected at most"
                f" {_MOST_WINDOWS}: let them begin less often"
            )


@dataclass(frozen=True, kw_only=True)
class Session(_Window):
    """Events of a key each less than `gap` after another: the span from the first to `gap` after the last."""

    gap: timedelta

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect_span(gap=self.gap)
        if not self.keys:
            raise ValueError(f"window {self.name!r}: a session is that of a key; give keys")


Window = Tumbling | Hopping | Session
