"""How the text of a cell becomes a value of a column's type.

Lenient about form, never about meaning: `+5`, `1e3` and `4.0` are numbers; `1,5` is not, because it could be either of
two. A text that does not fit becomes null; the plan tells it from a missing cell, which was null before.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

#: A double holds every whole number below this; from here on `9007199254740993.00` would be read as another number.
INEXACT_WHOLE = 2**53

TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")

DAY = r"^\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?$"
MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?$"
ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"


def real(cell: pl.Expr) -> pl.Expr:
    """Finite numbers; `NaN`, `inf` and what overflows to it are not."""
    value = cell.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole(cell: pl.Expr) -> pl.Expr:
    """Whole numbers of 64 bits, also written as `4.0` or `1e3`; what is out of range does not fit, it never wraps."""
    value = cell.cast(pl.Float64, strict=False)
    is_whole = (value == value.floor()) & (value.abs() < INEXACT_WHOLE)
    exact = cell.str.strip_suffix(".0").cast(pl.Int64, strict=False)
    return pl.coalesce(exact, pl.when(is_whole).then(value).cast(pl.Int64))


def yes_or_no(cell: pl.Expr) -> pl.Expr:
    word = cell.str.to_lowercase()
    return pl.when(word.is_in(TRUE)).then(True).when(word.is_in(FALSE)).then(False)


def day(cell: pl.Expr) -> pl.Expr:
    """ISO dates; a midnight after it, as spreadsheets write, is dropped. There is no year 0."""
    is_day = cell.str.contains(DAY) & ~cell.str.starts_with("0000")
    return pl.when(is_day).then(cell.str.head(10)).str.to_date("%Y-%m-%d", strict=False)


def moment(cell: pl.Expr) -> pl.Expr:
    """ISO dates with a time, to the microsecond; without a zone they are taken as UTC."""
    written = pl.when(cell.str.contains(MOMENT)).then(cell).str.replace(" ", "T", literal=True)
    zoned = pl.when(written.str.contains(ZONE)).then(written).otherwise(written + "Z")
    with_seconds, without = (
        zoned.str.to_datetime(form, time_unit="us", strict=False)
        for form in ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
    )
    value = pl.coalesce(with_seconds, without)
    return pl.when(value.dt.year().is_between(1, 9999)).then(value)


def text(cell: pl.Expr) -> pl.Expr:
    return cell


_TYPES: dict[Any, tuple[Callable[[pl.Expr], pl.Expr], str]] = {
    pl.Float64: (real, "a number"),
    pl.Int64: (whole, "a whole number"),
    pl.Boolean: (yes_or_no, "yes or no (1/0, true/false, yes/no)"),
    pl.Date: (day, "a date such as 2024-05-31"),
    pl.Datetime("us", "UTC"): (moment, "a date and time such as 2024-05-31T14:30:00Z"),
    pl.String: (text, "text"),
}


def reading(dtype: pl.DataType) -> tuple[Callable[[pl.Expr], pl.Expr], str]:
    """What casts a stripped cell to the type, and the type in words. Raises ValueError where no column can have it."""
    if dtype not in _TYPES:
        raise ValueError(
            f"type {dtype} is not one of those a contract's column can have: {[str(known) for known in _TYPES]}"
        )
    return _TYPES[dtype]
