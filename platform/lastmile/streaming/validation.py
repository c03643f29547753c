"""Events held to the contract of their dataset: the valid ones typed, of the others which rules they broke.

An event has the very verdict it would have as a row of a file, since the intake's plan gives it. What comes typed, or
is plainly right, is seen to be so at a fraction of the cost; only the rest becomes text for the plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import orjson
import polars as pl

from lastmile.contracts.casts import PLAIN
from lastmile.contracts.checks import FAILURES
from lastmile.contracts.contract import Contract
from lastmile.contracts.types import Kind
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers.cells import kinds_of
from lastmile.ingestion.readers.parquet.reader import raw_batch
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.validation.fast_path import FastPath
from lastmile.ingestion.validation.header_match import claims, fit
from lastmile.ingestion.validation.rules import raw_name
from lastmile.streaming.declarations.stream import PLACE

#: Why an event is left out: `reasons` is a JSON list as of quarantined rows, `raw` the event as JSON.
BAD = {**PLACE, "reasons": pl.String(), "raw": pl.String()}
#: The years that a timestamp may be of; Postgres has more.
_FIRST, _LAST = pl.date(1, 1, 1), pl.date(9999, 12, 31)
_PLACE = list(PLACE)


@dataclass(frozen=True)
class Validated:
    """`valid` has the contract's columns and PLACE, in the order of the events; `bad` the columns of BAD.

    `fitting` are all events whose columns fit the contract, valid or not, under its names and with all that it
    requires: what a drop of the dataset may hold. `refused`, with the columns of BAD, are the others.
    """

    valid: pl.DataFrame
    bad: pl.DataFrame
    fitting: pl.DataFrame
    refused: pl.DataFrame


class Validation:
    """Validates the events of one contract; remembers how events with the same columns are."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._forms: dict[tuple[tuple[str, pl.DataType], ...], _Form] = {}

    def validate(self, events: pl.DataFrame) -> Validated:
        """Sort events, which have their own columns and PLACE."""
        found = list(self._parts(events))
        if len(found) == 1:
            return found[0]
        return Validated(
            pl.concat([one.valid for one in found]),
            pl.concat([one.bad for one in found]),
            pl.concat([as_texts(one.fitting) for one in found], how="diagonal"),
            pl.concat([one.refused for one in found]),
        )

    def _parts(self, events: pl.DataFrame) -> Iterator[Validated]:
        """All of them at once; or, where the columns of some do not fit, in parts, so that it costs only those."""
        own = _with_values(events)
        try:
            form = self._form(own)
        except Refused as refused:
            if events.height <= 1:
                yield self._refused(events, str(refused))
                return
            half = events.height // 2
            yield from self._parts(events.head(half))
            yield from self._parts(events.slice(half))
            return
        yield form.validate(own)

    def _form(self, events: pl.DataFrame) -> "_Form":
        key = tuple((name, dtype) for name, dtype in events.schema.items() if name not in PLACE)
        if key not in self._forms:
            self._forms[key] = _Form(self._contract, dict(key))
        return self._forms[key]

    def _refused(self, events: pl.DataFrame, why: str) -> Validated:
        none = pl.DataFrame(schema={**self._contract.types(), **PLACE})
        reason = [{"column": None, "rule": "columns", "found": None, "message": why}]
        bad = events.select(_PLACE).with_columns(reasons=pl.lit(orjson.dumps(reason).decode()), raw=as_json(events))
        return Validated(none, pl.DataFrame(schema=BAD), pl.DataFrame(schema=PLACE), bad)


class _Form:
    """How events with these columns are validated. Raises Refused where they do not fit the contract."""

    def __init__(self, contract: Contract, schema: Mapping[str, pl.DataType]) -> None:
        there = claims(contract, list(schema))
        self._absent = [name for name in contract.required() if name not in there]
        self._contract, self._header = contract, [*schema, *self._absent]
        found, _ = fit(contract, self._header)
        self._names = {name: column for column, name in found.items() if name != column}
        self._found = {column: self._names.get(name, name) for column, name in found.items()}
        self._types = {**schema, **dict.fromkeys(self._absent, pl.String())}
        self._of_columns = {column: self._types[name] for column, name in found.items()}

    @cached_property
    def _plan(self) -> Plan:
        return Plan(self._contract, self._fitting_header)

    @cached_property
    def _fitting_header(self) -> list[str]:
        return [self._names.get(name, name) for name in self._header]

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return kinds_of(self._fitting_header, self._contract)

    @cached_property
    def _fast(self) -> FastPath | None:
        """None where a column has a type that is not seen to be right at once."""
        kinds = self._contract.kinds
        typed = [name for name, dtype in self._of_columns.items() if _is_value(kinds[name], dtype)]
        if any(name not in typed and dtype != pl.String for name, dtype in self._of_columns.items()):
            return None
        return FastPath(self._contract, self._found, PLAIN, typed)

    def validate(self, events: pl.DataFrame) -> Validated:
        absent = [pl.lit(None, pl.String).alias(name) for name in self._absent]
        fitting = events.with_columns(absent).rename(self._names) if absent or self._names else events
        plain, others = self._sort(fitting)
        refused = pl.DataFrame(schema=BAD)
        if not others.height:
            return Validated(plain, pl.DataFrame(schema=BAD), fitting, refused)
        valid, bad = self._look_closely(others)
        merged = pl.concat([plain, valid]).sort("_partition", "_offset", "_index") if plain.height else valid
        return Validated(merged, bad, fitting, refused)

    def _sort(self, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The plain events, typed, and the others as they are."""
        columns = [*self._contract.columns, *_PLACE]
        fast, none = self._fast, pl.DataFrame(schema={**self._contract.types(), **PLACE})
        if fast is None:
            return none, events
        raw = events.select(*_PLACE, *(pl.col(name).alias(raw_name(name)) for name in self._found))
        try:
            typed = fast.typed(raw.lazy()).collect(engine="in-memory")
            is_plain = fast.are_valid(typed, nul_free=False) & self._in_range(typed)
        except FAILURES:  # an expression of the contract fails on an event: the closer look finds which
            return none, events
        if is_plain.all():
            return typed.select(columns), events.clear()
        return typed.filter(is_plain).select(columns), events.filter(~is_plain)

    def _in_range(self, typed: pl.DataFrame) -> pl.Series:
        moments = [name for name, dtype in self._of_columns.items() if dtype == pl.Date or dtype == pl.Datetime]
        within = [pl.col(name).cast(pl.Date).is_between(_FIRST, _LAST).fill_null(True) for name in moments]
        return typed.select(pl.all_horizontal(pl.lit(True), *within).alias("within")).to_series()

    def _look_closely(self, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        own = events.select(self._fitting_header)
        (batch,) = own.rechunk().to_arrow().combine_chunks().to_batches()
        validated = self._plan.validate(raw_batch(batch, self._fitting_header, self._kinds, 1))
        places = events.select(_PLACE)
        rows = validated.valid["_line"].cast(pl.UInt32) - 1
        valid = pl.concat([validated.valid.select(*self._contract.columns), places[rows]], how="horizontal")
        of_bad = places[validated.bad["line"].cast(pl.UInt32) - 1]
        return valid, pl.concat([of_bad, validated.bad.select("reasons", "raw")], how="horizontal")


def _with_values(events: pl.DataFrame) -> pl.DataFrame:
    """The events without columns in which none of them has a value."""
    nulls = events.null_count().row(0)
    empty = [name for name, null in zip(events.columns, nulls, strict=True) if null == events.height]
    return events.drop(name for name in empty if name not in PLACE)


def as_texts(events: pl.DataFrame) -> pl.DataFrame:
    """The events with each column of theirs as text, so that those of different types can be put together."""
    others = [name for name, dtype in events.schema.items() if name not in PLACE and dtype != pl.String]
    nested = [name for name in others if events.schema[name].is_nested()]
    return events.with_columns(
        *(_written(name, events.schema[name]) for name in others if name not in nested),
        *(
            pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.head(-1).alias(name)
            for name in nested
        ),
    )


def _written(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if dtype.time_zone else ""))
    return pl.col(name).cast(pl.String)


def as_json(events: pl.DataFrame) -> pl.Series:
    """Each event as the JSON of its own columns."""
    own = [name for name in events.columns if name not in PLACE]
    if not own:
        return pl.Series("raw", ["{}"] * events.height, pl.String)
    return as_texts(events).select(pl.struct(own).struct.json_encode().alias("raw")).to_series()


def _is_value(kind: Kind, dtype: pl.DataType) -> bool:
    """Whether all values of a type are values of the kind as they are, or those of its text would be no others."""
    match kind.name:
        case "number":
            return dtype.is_integer() or dtype == pl.Float64
        case "whole number":
            return dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128)
        case "boolean":
            return dtype == pl.Boolean
        case "date":
            return dtype == pl.Date
        case "timestamp":
            return isinstance(dtype, pl.Datetime) and dtype.time_zone in (None, "UTC")
        case "time of day":
            return dtype == pl.Time
        case _:
            return False


def first_rules(bad: pl.DataFrame) -> Sequence[str]:
    """The rule that each bad event broke first."""
    return [orjson.loads(reasons)[0]["rule"] for reasons in bad["reasons"]]
