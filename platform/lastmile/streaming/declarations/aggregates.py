"""The aggregates that a window may have: those whose parts add up to the same value however the events were cut.

A window is made of many batches, by several processes, some of them again after a death. So an aggregate is kept as
parts that can be merged in any order (a mean as sum and count), and whatever cannot be kept so is refused when it is
declared, with what to do instead.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from lastmile.contracts.checks import is_row_separable
from lastmile.streaming.declarations.columns import stored

Kind = Literal["len", "count", "sum", "min", "max", "mean", "first", "last"]

_OF_INPUT: Mapping[Kind, Callable[[pl.Expr], pl.Expr]] = {
    "sum": lambda values: values.sum(),
    "min": lambda values: values.min(),
    "max": lambda values: values.max(),
    "mean": lambda values: values.mean(),
    "count": lambda values: values.count(),
    "first": lambda values: values.first(),
    "last": lambda values: values.last(),
}
_INSTEAD = (
    "expected len, count, sum, min, max, mean, first or last of an expression over one event's columns; declare several"
    " values, and divide or combine them where the window is read"
)


@dataclass(frozen=True)
class Aggregate:
    """One value of a window: what is done with which expression over an event's columns; `len` has none."""

    name: str
    kind: Kind
    input: pl.Expr

    def dtype(self, schema: Mapping[str, pl.DataType]) -> pl.DataType:
        """The type of its input, of events with this schema."""
        return pl.DataFrame(schema=dict(schema)).select(self.input.alias("value")).schema["value"]

    def columns(self) -> list[str]:
        """Its own in the table of the window."""
        return [self.name, f"{self.name}_sum", f"{self.name}_count"] if self.kind == "mean" else [self.name]


def aggregates(values: Mapping[str, pl.Expr]) -> Iterator[Aggregate]:
    """What each value of a window is. Raises ValueError for one that cannot be merged exactly."""
    for name, value in values.items():
        yield _aggregate(name, value)


def _aggregate(name: str, value: pl.Expr) -> Aggregate:
    bare = value.meta.undo_aliases()
    if bare.meta.eq(pl.len()):
        return Aggregate(name, "len", pl.lit(1))
    inputs = bare.meta.pop()
    if len(inputs) == 1 and is_row_separable(inputs[0]):
        for kind, made in _OF_INPUT.items():
            if bare.meta.eq(made(inputs[0])):
                return Aggregate(name, kind, inputs[0])
    raise ValueError(f"value {name!r}, {value}, cannot be added up from parts: {_INSTEAD}")


def expect_addable(aggregate: Aggregate, schema: Mapping[str, pl.DataType]) -> None:
    """Raises ValueError for a sum or mean of what are no numbers, and for a value that no column of a table holds."""
    dtype = aggregate.dtype(schema)
    if aggregate.kind in ("sum", "mean") and not (dtype.is_numeric() or dtype == pl.Boolean):
        raise ValueError(f"value {aggregate.name!r} adds {dtype}: expected numbers")
    if aggregate.kind in ("min", "max", "first", "last"):
        try:
            stored(dtype)
        except ValueError as error:
            raise ValueError(f"value {aggregate.name!r}: {error}") from None
