"""How the text of a cell becomes a value of a column's type.

Lenient about form, never about meaning: `+5`, `1e3` and `4.0` are numbers; `1,5` is not, because it could be either of
two, unless all of the drop is known to write its numbers so. Where a comma is the decimal sign a point is none: then
`1.234` is 1234 if points group the thousands, and no number if they do not. A text that does not fit becomes null; the
plan tells it from a missing cell, which was null before.

A real number is the double nearest to its text, a moment is cut to the microsecond; everything else is exact.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from lastmile.ingestion.batch import NumberFormat

PLAIN = NumberFormat()
#: In so few characters no fraction is lost on a double, and below this it holds every whole number.
FEW_CHARACTERS, INEXACT_WHOLE = 17, 2**53

TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")

DAY = r"^\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?$"
MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?$"
USUAL_MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?$"
ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"


def real(cell: pl.Expr) -> pl.Expr:
    """Finite numbers; `NaN`, `inf` and what overflows to it are not."""
    value = cell.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole(cell: pl.Expr) -> pl.Expr:
    """Whole numbers of 64 bits, also written as `4.0` or `1e3`; what is out of range does not fit, it never wraps."""
    digits = cell.str.strip_chars_end("0")
    ends_with_zeros = digits.str.ends_with(".")
    exact = pl.when(ends_with_zeros).then(digits.str.strip_suffix(".")).otherwise(cell).cast(pl.Int64, strict=False)
    value = cell.cast(pl.Float64, strict=False)
    is_known = value.abs().is_between(1, INEXACT_WHOLE, closed="left") & (cell.str.len_bytes() <= FEW_CHARACTERS)
    is_zero = (value == 0) & digits.str.ends_with("+")  # 0E+00, but not 1e-400
    is_whole = (value == value.floor()) & (is_known | is_zero)
    return pl.coalesce(exact, pl.when(is_whole).then(value).cast(pl.Int64))


def plain(cell: pl.Expr, numbers: NumberFormat) -> pl.Expr:
    """A number of the drop as one with a decimal point and no groups; null where it is written unlike the others."""
    point = cell if numbers.decimal == "." else pl.when(~cell.str.contains(".", literal=True)).then(cell)
    if numbers.thousands:
        group, rest = f"[{numbers.thousands}]", f"([{numbers.decimal}]\\d*)?"
        is_grouped = cell.str.contains(rf"^[+-]?[1-9]\d{{0,2}}({group}\d{{3}})+{rest}$")
        joined = cell.str.replace_all(numbers.thousands, "", literal=True)
        point = pl.when(is_grouped).then(joined).otherwise(point)
    return point if numbers.decimal == "." else point.str.replace(numbers.decimal, ".", literal=True)


def yes_or_no(cell: pl.Expr) -> pl.Expr:
    word = cell.str.to_lowercase()
    return pl.when(word.is_in(TRUE)).then(True).when(word.is_in(FALSE)).then(False)


def day(cell: pl.Expr) -> pl.Expr:
    """ISO dates; a midnight after it, as spreadsheets write, is dropped. There is no year 0."""
    is_day = cell.str.contains(DAY) & ~cell.str.starts_with("0000")
    return pl.when(is_day).then(cell.str.head(10)).str.to_date("%Y-%m-%d", strict=False, cache=False)


def moment(cell: pl.Expr) -> pl.Expr:
    """ISO dates with a time, to the microsecond; without a zone they are taken as UTC."""
    written = pl.when(~cell.str.contains(USUAL_MOMENT)).then(cell)
    value = pl.coalesce(usual_moment(cell), _any_moment(written))
    return pl.when(value.dt.year().is_between(1, 9999)).then(value)


def usual_moment(cell: pl.Expr) -> pl.Expr:
    """Moments to the second in UTC, a tenth of the work of reading any; null for all others."""
    is_usual = cell.str.contains(USUAL_MOMENT) & ~cell.str.starts_with("0000")  # there is no year 0
    written = pl.when(is_usual).then(cell.str.head(19)).str.replace(" ", "T", literal=True)
    value = written.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False, cache=False)
    return value.dt.replace_time_zone("UTC")


def _any_moment(cell: pl.Expr) -> pl.Expr:
    written = pl.when(cell.str.contains(MOMENT)).then(cell).str.replace(" ", "T", literal=True)
    zoned = pl.when(written.str.contains(ZONE)).then(written).otherwise(written + "Z")
    with_seconds, without = (
        zoned.str.to_datetime(form, time_unit="us", strict=False)
        for form in ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
    )
    return pl.coalesce(with_seconds, without)


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


def reading(dtype: pl.DataType, numbers: NumberFormat = PLAIN) -> tuple[Callable[[pl.Expr], pl.Expr], str]:
    """What casts a stripped cell to the type, and the type in words. Raises ValueError where no column can have it."""
    if dtype not in _TYPES:
        raise ValueError(
            f"type {dtype} is not one of those a contract's column can have: {[str(known) for known in _TYPES]}"
        )
    cast, words = _TYPES[dtype]
    if numbers == PLAIN or not dtype.is_numeric():
        return cast, words
    written = f"{words} written as in the rest of the file, such as 1{numbers.thousands}234{numbers.decimal}0"
    return lambda cell: cast(plain(cell, numbers)), written
