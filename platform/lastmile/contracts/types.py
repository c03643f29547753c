"""The types that a column may have. A new type is one entry of `KINDS`: everything else follows from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pandera.polars as pa
import polars as pl

from lastmile.contracts import casts
from lastmile.contracts.casts import PLAIN, Reading
from lastmile.contracts.fields import TIMESTAMP, Json

#: Cell texts that stand for "no value" in typed columns. Text columns treat only the empty cell so.
MISSING_CODES = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "no_answer", "-")


@dataclass(frozen=True)
class Kind:
    """A type of column: how its cells are read, what it is in the warehouse, and what people call it."""

    name: str
    #: As it is annotated.
    annotation: str
    #: The polars type, or the class of those with parameters.
    dtype: pl.DataType | type[pl.DataType] | type[Json]
    postgres: str
    #: What a cell must be, in words.
    expected: Callable[[Reading], str]
    #: A stripped cell, null where missing, to its value: null where it does not fit.
    read: Callable[[pl.Expr, Reading], pl.Expr]
    #: A value, to try expressions with.
    sample: Any
    #: The same for raw cells that are written as usual, null for all others; None: `read` is as fast.
    read_usual: Callable[[pl.Expr, Reading], pl.Expr] | None = None
    missing: Sequence[str] = MISSING_CODES
    #: Whether numbers of the file's own format stand in it.
    is_number: bool = False
    #: Whether it can be part of a key.
    is_key: bool = True

    @property
    def is_text(self) -> bool:
        return self.name == "text"

    def usual(self, raw: pl.Expr, how: Reading) -> pl.Expr:
        """The value of a raw cell, by the shortest way there is; where that is null, `read` knows better."""
        return self.read_usual(raw, how) if self.read_usual and how.usual else self.read(raw, how)


def _dated(example: str) -> Callable[[Reading], str]:
    def expected(how: Reading) -> str:
        return f"{example} ({' or '.join(how.formats)})" if how.formats else example

    return expected


def _number(words: str) -> Callable[[Reading], str]:
    def expected(how: Reading) -> str:
        written = f"{words}, perhaps with {' or '.join(how.symbols)}" if how.symbols else words
        if how.numbers == PLAIN:
            return written
        thousands, decimal = how.numbers.thousands, how.numbers.decimal
        return f"{written} written as in the rest of the file, such as 1{thousands}234{decimal}0"

    return expected


def _yes_or_no(how: Reading) -> str:
    pairs = ("1/0, true/false, yes/no",) if not (how.true or how.false) else ("/".join(how.true), "/".join(how.false))
    return f"yes or no ({' or '.join(pairs)})"


def _decimal(how: Reading) -> str:
    scale = how.dtype.scale if isinstance(how.dtype, pl.Decimal) else 0
    return _number(f"a number of at most {scale} digits behind the point")(how)


def _codes(how: Reading) -> str:
    return f"codes separated by {'blanks' if how.separator is None else how.separator!r}"


KINDS = (
    Kind(
        "number", "float", pl.Float64(), "double precision", _number("a number"), casts.real, 1.0,
        read_usual=lambda raw, how: raw.cast(pl.Float64, strict=False), is_number=True,
    ),
    Kind(
        "whole number", "int", pl.Int64(), "bigint", _number("a whole number"), casts.whole, 1,
        read_usual=lambda raw, how: raw.cast(pl.Int64, strict=False), is_number=True,
    ),
    Kind(
        "decimal", "Decimal", pl.Decimal, "numeric", _decimal, casts.decimal, Decimal(1), is_number=True
    ),
    Kind(
        "boolean", "bool", pl.Boolean(), "boolean", _yes_or_no, casts.yes_or_no, True,
        read_usual=casts.usual_yes_or_no,
    ),
    Kind("date", "date", pl.Date(), "date", _dated("a date such as 2024-05-31"), casts.day, date(2020, 2, 29)),
    Kind(
        "timestamp", "datetime", TIMESTAMP, "timestamp with time zone",
        _dated("a date and time such as 2024-05-31T14:30:00Z"), casts.timestamp, datetime(2020, 2, 29, tzinfo=UTC),
        read_usual=lambda raw, how: casts.usual_timestamp(raw),
    ),
    Kind(
        "time of day", "time", pl.Time(), "time without time zone", _dated("a time of day such as 14:30"),
        casts.time_of_day, time(12),
    ),
    Kind("JSON", "Json", Json, "jsonb", lambda how: "JSON", lambda cell, how: casts.json(cell), "{}", is_key=False),
    Kind("list of codes", "list[str]", pl.List(pl.String()), "text[]", _codes, casts.codes, ["a"], is_key=False),
    Kind("text", "str", pl.String(), "text", lambda how: "text", lambda cell, how: cell, "a", missing=("",)),
)  # fmt: skip


def kind_of(spec: pa.Column) -> Kind | None:
    """The kind of a column; None where no column of a dataset can have its type."""
    dtype = spec.dtype
    if isinstance(dtype, Json):
        return next(kind for kind in KINDS if kind.dtype is Json)
    return next((kind for kind in KINDS if kind.dtype == dtype.type or _is_of(dtype.type, kind.dtype)), None)


def _is_of(dtype: Any, known: Any) -> bool:
    return isinstance(known, type) and known is not Json and isinstance(dtype, known)


def annotations() -> str:
    """The types in words, for messages."""
    return ", ".join(kind.annotation for kind in KINDS)
