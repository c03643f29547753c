"""An aggregate as parts that are merged: by polars within a batch, by Postgres with what is there, in any order.

A sum is a decimal, whatever was added: whole numbers as they are, floating point numbers rounded to nine decimals
first, so that no sum depends on the order of its parts. A mean is a sum and a count, divided by Postgres. The first and
last value are those of the first and last event by time, then partition, offset and index, which are kept as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from lastmile.streaming.declarations.aggregates import Aggregate
from lastmile.streaming.declarations.columns import stored

End = Literal["first", "last"]
Merged = Literal["add", "least", "greatest"] | End

#: How far a floating point number is rounded before it is added, and up to what it is added at all.
DECIMALS, MOST = 9, 1e20
#: Where the first and the last event of a window are: columns of the table, by the column of an event.
_PLACE = {"at": "", "partition": "_partition", "offset": "_offset", "index": "_index"}


@dataclass(frozen=True)
class Part:
    """A column that is merged: its value of a group of events in order, its type as it is sent."""

    value: pl.Expr
    merged: Merged
    dtype: pl.DataType


def places(end: End) -> list[str]:
    """Columns that say which event was the first or the last."""
    return [f"{end}_{name}" for name in _PLACE]


def parts_of(
    aggregates: Sequence[Aggregate], event_time: str, schema: Mapping[str, pl.DataType]
) -> tuple[dict[str, Part], dict[str, str]]:
    """The parts by column, and as SQL what is made of others. Raises ValueError for what no column holds."""
    made: dict[str, Part] = {}
    shown: dict[str, str] = {}
    for one in aggregates:
        made |= dict(_parts(one, schema))
        if one.kind == "mean":
            shown[one.name] = f'("{one.name}_sum" / nullif("{one.name}_count", 0))::double precision'
    for end in ("first", "last"):
        if any(one.kind == end for one in aggregates):
            made |= dict(_places(end, event_time))
    return made, shown


def in_order(events: pl.LazyFrame, event_time: str, parts: Mapping[str, Part]) -> pl.LazyFrame:
    """The events from the first to the last, where that matters."""
    if not any(part.merged in ("first", "last") for part in parts.values()):
        return events
    return events.sort(event_time, "_partition", "_offset", "_index")


def merged(parts: Mapping[str, Part]) -> list[pl.Expr]:
    """Of several rows of a window the one, in polars."""
    return [_merged(name, part.merged) for name, part in parts.items()]


def merged_by_sql(name: str, how: Merged, there: str, new: str) -> str:
    """What is there and what comes, in SQL: two rows with these names."""
    if how == "add":
        return f'{there}."{name}" + {new}."{name}"'
    if how == "least" or how == "greatest":  # so that its type is known
        return f'{how}({there}."{name}", {new}."{name}")'
    theirs, ours = (", ".join(f'{row}."{column}"' for column in places(how)) for row in (new, there))
    sign = "<" if how == "first" else ">"
    return f'CASE WHEN ({theirs}) {sign} ({ours}) THEN {new}."{name}" ELSE {there}."{name}" END'


def aggregated_by_sql(name: str, how: Merged, dtype: pl.DataType) -> str:
    """Of several rows the one, in SQL."""
    column = f'"{name}"'
    if how == "add":
        return f"sum({column})" + ("::bigint" if dtype.is_integer() else "")
    if how == "least" or how == "greatest":  # so that its type is known
        of_boolean = {"least": "bool_and", "greatest": "bool_or"}
        of_others = {"least": "min", "greatest": "max"}
        return f"{(of_boolean if dtype == pl.Boolean else of_others)[how]}({column})"
    order = ", ".join(f'"{place}"{" DESC" if how == "last" else ""}' for place in places(how))
    return f"(array_agg({column} ORDER BY {order}))[1]"


def _merged(name: str, how: Merged) -> pl.Expr:
    column = pl.col(name)
    if how == "add":
        return column.sum()
    if how == "least" or how == "greatest":  # so that its type is known
        return column.min() if how == "least" else column.max()
    ordered = column.sort_by(places(how))
    return ordered.first() if how == "first" else ordered.last()


def _parts(one: Aggregate, schema: Mapping[str, pl.DataType]) -> Iterator[tuple[str, Part]]:
    values, name, dtype = one.input, one.name, one.dtype(schema)
    match one.kind:
        case "len":
            yield name, Part(pl.len().cast(pl.Int64), "add", pl.Int64())
        case "count":
            yield name, Part(_addable(values, dtype).count().cast(pl.Int64), "add", pl.Int64())
        case "sum":
            yield name, _sum(values, dtype)
        case "mean":
            yield f"{name}_sum", _sum(values, dtype)
            yield f"{name}_count", Part(_addable(values, dtype).count().cast(pl.Int64), "add", pl.Int64())
        case "min" | "max":
            plain, sent = _comparable(values, dtype), stored(dtype)
            least = one.kind == "min"
            yield name, Part((plain.min() if least else plain.max()).cast(sent), "least" if least else "greatest", sent)
        case "first" | "last":
            sent = stored(dtype)
            value = values.first() if one.kind == "first" else values.last()
            yield name, Part(value.cast(sent), one.kind, sent)


def _sum(values: pl.Expr, dtype: pl.DataType) -> Part:
    if isinstance(dtype, pl.Decimal):
        sent = pl.Decimal(38, dtype.scale)
        return Part(values.cast(sent).sum(), "add", sent)
    if dtype.is_float():
        sent = pl.Decimal(38, DECIMALS)
        return Part(_addable(values, dtype).cast(sent).sum(), "add", sent)
    sent = pl.Decimal(38, 0)
    return Part(values.cast(pl.Int128).sum().cast(sent), "add", sent)


def _addable(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Without what is not a number, infinite, or beyond all measure."""
    return pl.when(values.abs() < MOST).then(values) if dtype.is_float() else values


def _comparable(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Without what is not a number, which Postgres takes for the greatest; -0.0 is 0.0."""
    return values.fill_nan(None) + 0.0 if dtype.is_float() else values


def _places(end: End, event_time: str) -> Iterator[tuple[str, Part]]:
    for name, column in _PLACE.items():
        found = pl.col(column or event_time)
        value = found.first() if end == "first" else found.last()
        sent = pl.Datetime("us", "UTC") if name == "at" else pl.Int64()
        yield f"{end}_{name}", Part(value.cast(sent), end, sent)
