"""How the text of a cell becomes a value.

Lenient about form, never about meaning: `+5`, `1e3` and `4.0` are numbers; `1,5` is not, because it could be either of
two, unless all of the drop is known to write its numbers so. Where a comma is the decimal sign a point is none: then
`1.234` is 1234 if points group the thousands, and no number if they do not. A text that does not fit becomes null; the
plan tells it from a missing cell, which was null before.

A real number is the double nearest to its text, a timestamp is cut to the microsecond; everything else is exact.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import polars as pl

#: In so few characters no fraction is lost on a double, and below this it holds every whole number.
FEW_CHARACTERS, INEXACT_WHOLE = 17, 2**53

TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")

DAY = r"^\d{4}-\d\d-\d\d([T ]00:00(:00(\.0+)?)?)?$"
#: Without second 60: no clock here has leap seconds, and polars reads one as the next minute.
MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?$"
USUAL_MOMENT = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?Z?$"
ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"
TIME = r"^\d\d:\d\d(:[0-5]\d(\.\d{1,6})?)?$"
#: A list as JSON writes it, of texts without quotes or escapes inside.
JSON_LIST = r'^\[\s*("[^"\\]*"(\s*,\s*"[^"\\]*")*)?\s*\]$'
#: Parts of a format of dates and times, and those that stand for several.
_DIRECTIVE = re.compile(r"%(?:[-_0#:]*|\.\d?|\d)([A-Za-z+%])")
_SHORT = {"%T": "%H:%M:%S", "%X": "%H:%M:%S", "%r": "%I:%M:%S %p", "%c": "%a %b %e %H:%M:%S %Y", "%+": "%FT%H:%M:%S%z"}
#: Days from the day that spreadsheets count from to 1970-01-01. Below 61 they count a 29 February 1900 that never was.
EXCEL_EPOCH, FIRST_EXCEL_DAY, LAST_EXCEL_DAY = 25_569, 61, 2_958_465


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one drop are written: `1.234,5` has decimal `,` and thousands `.`; "" where none are grouped.

    It is found once for the whole drop and stands in the ledger, so that no text of the drop ever changes its meaning.
    """

    decimal: str = "."
    thousands: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """The number format among what was found about a file, under the names `decimal` and `thousands`."""
        return cls(found.get("decimal", "."), found.get("thousands", ""))


PLAIN = NumberFormat()


@dataclass(frozen=True)
class Reading:
    """What is known of how the cells of one column are written. See `field` for the words."""

    dtype: pl.DataType
    numbers: NumberFormat = PLAIN
    formats: Sequence[str] = ()
    true: Sequence[str] = ()
    false: Sequence[str] = ()
    symbols: Sequence[str] = ()
    separator: str | None = None

    @property
    def usual(self) -> bool:
        """Whether cells are written as their type usually is."""
        return self.numbers == PLAIN and not (self.formats or self.true or self.false or self.symbols)


def real(cell: pl.Expr, how: Reading) -> pl.Expr:
    """Finite numbers; `NaN`, `inf` and what overflows to it are not."""
    value = plain(cell, how).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole(cell: pl.Expr, how: Reading) -> pl.Expr:
    """Whole numbers of 64 bits, also written as `4.0`, or as `1e3` if a double holds all such; what is out of range
    does not fit, it never wraps."""
    cell = plain(cell, how)
    digits = cell.str.strip_chars_end("0")
    ends_with_zeros = digits.str.ends_with(".")
    exact = pl.when(ends_with_zeros).then(digits.str.strip_suffix(".")).otherwise(cell).cast(pl.Int64, strict=False)
    value = cell.cast(pl.Float64, strict=False)
    is_known = value.abs().is_between(1, INEXACT_WHOLE, closed="left") & (
        (cell.str.len_bytes() <= FEW_CHARACTERS) | (has_all_digits(cell))
    )
    is_zero = (value == 0) & digits.str.ends_with("+")  # 0E+00, but not 1e-400
    is_whole = (value == value.floor()) & (is_known | is_zero)
    return pl.coalesce(exact, pl.when(is_whole).then(value).cast(pl.Int64))


def has_all_digits(cell: pl.Expr) -> pl.Expr:
    """Whether a number with an exponent has no more digits behind its point than the exponent moves before it."""
    behind = cell.str.extract(r"^[+-]?\d+\.?(\d*)[eE]\+?\d{1,2}$", 1).str.strip_chars_end("0").str.len_bytes()
    return behind <= cell.str.extract(r"[eE]\+?(\d{1,2})$", 1).cast(pl.UInt32, strict=False)


def decimal(cell: pl.Expr, how: Reading) -> pl.Expr:
    """Digits with a point, no more of them behind it than the scale; what would have to be rounded does not fit."""
    scale = how.dtype.scale if isinstance(how.dtype, pl.Decimal) else 0
    cell = plain(cell, how)
    is_exact = cell.str.contains(rf"^[+-]?(\d+(\.\d{{0,{scale}}}0*)?|\.\d{{1,{max(scale, 1)}}}0*)$")
    return pl.when(is_exact).then(cell).cast(how.dtype, strict=False)


def plain(cell: pl.Expr, how: Reading) -> pl.Expr:
    """A number as one with a decimal point, without groups or symbols; null where it is written unlike the others."""
    numbers = how.numbers
    bare = _without_symbols(cell, how.symbols) if how.symbols else cell
    point = bare if numbers.decimal == "." else pl.when(~bare.str.contains(".", literal=True)).then(bare)
    if numbers.thousands:
        group, rest = f"[{numbers.thousands}]", f"([{numbers.decimal}]\\d*)?"
        is_grouped = bare.str.contains(rf"^[+-]?[1-9]\d{{0,2}}({group}\d{{3}})+{rest}$")
        joined = bare.str.replace_all(numbers.thousands, "", literal=True)
        point = pl.when(is_grouped).then(joined).otherwise(point)
    return point if numbers.decimal == "." else point.str.replace(numbers.decimal, ".", literal=True)


def symbols_pattern(symbols: Sequence[str]) -> tuple[str, str]:
    """What a symbol before a number (and behind its sign), and one behind it, look like."""
    either = "|".join(map(re.escape, sorted(symbols, key=len, reverse=True)))
    return rf"^([+-]?)\s*(?:{either})\s*", rf"\s*(?:{either})$"


def _without_symbols(cell: pl.Expr, symbols: Sequence[str]) -> pl.Expr:
    before, behind = symbols_pattern(symbols)
    return cell.str.replace(before, "${1}").str.replace(behind, "")


def yes_or_no(cell: pl.Expr, how: Reading) -> pl.Expr:
    word = cell.str.to_lowercase()
    true, false = words(how)
    return pl.when(word.is_in(true)).then(True).when(word.is_in(false)).then(False)


def words(how: Reading) -> tuple[list[str], list[str]]:
    """The words for true and for false, in lower case."""
    true, false = (how.true, how.false) if how.true or how.false else (TRUE, FALSE)
    return [word.lower() for word in true], [word.lower() for word in false]


def usual_yes_or_no(raw: pl.Expr, how: Reading) -> pl.Expr:
    is_yes, is_no = (raw.is_in(_any_case(known)) for known in words(how))
    return pl.when(is_yes | is_no).then(is_yes)


def _any_case(known: Sequence[str]) -> list[str]:
    return [*known, *(word.title() for word in known), *(word.upper() for word in known)]


def day(cell: pl.Expr, how: Reading) -> pl.Expr:
    return _by_format(cell, how, _iso_day, _excel_day, lambda form: cell.str.to_date(form, strict=False, cache=False))


def _iso_day(cell: pl.Expr) -> pl.Expr:
    """ISO dates; a midnight after it, as spreadsheets write, is dropped. There is no year 0."""
    is_day = cell.str.contains(DAY) & ~cell.str.starts_with("0000")
    return pl.when(is_day).then(cell.str.head(10)).str.to_date("%Y-%m-%d", strict=False, cache=False)


def _serial(cell: pl.Expr) -> pl.Expr:
    value = pl.when(cell.str.contains(r"^\d{2,7}(\.\d+)?$")).then(cell).cast(pl.Float64, strict=False)
    return pl.when(value.is_between(FIRST_EXCEL_DAY, LAST_EXCEL_DAY + 1, closed="left")).then(value)


def _excel_day(cell: pl.Expr) -> pl.Expr:
    """The serial number of a day in a spreadsheet that counts from 1900."""
    serial = _serial(cell)
    return (pl.when(serial == serial.floor()).then(serial) - EXCEL_EPOCH).cast(pl.Int32).cast(pl.Date)


def timestamp(cell: pl.Expr, how: Reading) -> pl.Expr:
    def of_format(form: str) -> pl.Expr:
        if "%z" in form or "%#z" in form:
            return cell.str.to_datetime(form, time_unit="us", strict=False, cache=False)
        value = cell.str.to_datetime(form, time_unit="us", strict=False, cache=False)
        return value.dt.replace_time_zone("UTC")

    return _by_format(cell, how, _iso_timestamp, _excel_timestamp, of_format)


def _iso_timestamp(cell: pl.Expr) -> pl.Expr:
    """ISO dates with a time, to the microsecond; without a zone they are UTC."""
    written = pl.when(~cell.str.contains(USUAL_MOMENT)).then(cell)
    value = pl.coalesce(usual_timestamp(cell), _any_timestamp(written))
    return pl.when(value.dt.year().is_between(1, 9999)).then(value)


def usual_timestamp(cell: pl.Expr) -> pl.Expr:
    """Timestamps in UTC to the second, millisecond or microsecond, a third of the work of reading any; null for all
    others."""
    is_usual = cell.str.contains(USUAL_MOMENT) & ~cell.str.starts_with("0000")  # there is no year 0
    written = cell.str.head(19).str.replace(" ", "T", literal=True)
    seconds = written.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False, cache=False)
    thousandths, millionths = (cell.str.slice(place, 3).cast(pl.Int64, strict=False).fill_null(0) for place in (20, 23))
    value = seconds + (thousandths * 1_000 + millionths).cast(pl.Duration("us"))
    return pl.when(is_usual).then(value).dt.replace_time_zone("UTC")


def _any_timestamp(cell: pl.Expr) -> pl.Expr:
    written = pl.when(cell.str.contains(MOMENT)).then(cell).str.replace(" ", "T", literal=True)
    zoned = pl.when(written.str.contains(ZONE)).then(written).otherwise(written + "Z")
    with_seconds, without = (
        zoned.str.to_datetime(form, time_unit="us", strict=False)
        for form in ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
    )
    return pl.coalesce(with_seconds, without)


def _excel_timestamp(cell: pl.Expr) -> pl.Expr:
    """To the millisecond: a double holds no more of it."""
    milliseconds = ((_serial(cell) - EXCEL_EPOCH) * 86_400_000).round()
    return (milliseconds * 1_000).cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def time_of_day(cell: pl.Expr, how: Reading) -> pl.Expr:
    return _by_format(cell, how, _iso_time, _excel_time, lambda form: cell.str.to_time(form, strict=False, cache=False))


def _iso_time(cell: pl.Expr) -> pl.Expr:
    written = pl.when(cell.str.contains(TIME)).then(cell)
    return pl.coalesce(
        written.str.to_time(form, strict=False, cache=False) for form in ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f")
    )


def _excel_time(cell: pl.Expr) -> pl.Expr:
    """A fraction of a day, to the second."""
    part = pl.when(cell.str.contains(r"^0?(\.\d+)?$")).then(cell).cast(pl.Float64, strict=False)
    seconds = (part * 86_400).round()
    return (pl.when(seconds < 86_400).then(seconds) * 1_000_000_000).cast(pl.Int64).cast(pl.Time)


def _by_format(
    cell: pl.Expr,
    how: Reading,
    iso: Callable[[pl.Expr], pl.Expr],
    excel: Callable[[pl.Expr], pl.Expr],
    other: Callable[[str], pl.Expr],
) -> pl.Expr:
    """The value by whichever format fits; null where two of them fit and differ, since either could be meant."""
    special = {"iso": iso, "excel": excel}
    values = [
        special[form](cell) if form in special else _of_this_age(_without_leaps(cell, form, other(form)), how)
        for form in how.formats or ("iso",)
    ]
    if len(values) == 1:
        return values[0]
    first = pl.coalesce(values)
    agree = reduce(lambda so_far, value: so_far & (value.is_null() | (value == first)), values, pl.lit(True))
    return pl.when(agree).then(first)


def _without_leaps(cell: pl.Expr, form: str, value: pl.Expr) -> pl.Expr:
    """The value, but for texts whose second is 60, which would be read as the next minute."""
    form = re.sub("%[-_0](?=S)", "%", form)
    for short, long in _SHORT.items():
        form = form.replace(short, long)
    before, second, behind = form.partition("%S")
    if not second:
        return value
    return pl.when(~cell.str.contains(f"^{_any_value(before)}60{_any_value(behind)}$")).then(value)


def _any_value(form: str) -> str:
    """A pattern of what is written by a part of a format."""
    ends = [0, *(place for found in _DIRECTIVE.finditer(form) for place in found.span()), len(form)]
    return ".*?".join(pl.escape_regex(form[start:end]) for start, end in zip(ends[::2], ends[1::2], strict=True))


def _of_this_age(value: pl.Expr, how: Reading) -> pl.Expr:
    """`%Y` reads `24` as the year 24: no date of four digits."""
    return value if how.dtype == pl.Time else pl.when(value.dt.year() >= 1000).then(value)


def codes(cell: pl.Expr, how: Reading) -> pl.Expr:
    """Codes between separators, or as a JSON list of texts; without blanks around them, and without empty ones."""
    if how.separator is None:
        split = cell.str.extract_all(r"\S+")
    else:
        parts = cell.str.split(how.separator).list.eval(pl.element().str.strip_chars())
        split = parts.list.filter(pl.element() != "")
    inner = cell.str.extract_all(r'"[^"]*"').list.eval(pl.element().str.strip_chars('"'))
    return pl.when(cell.str.contains(JSON_LIST)).then(inner).otherwise(split)


def json(cell: pl.Expr) -> pl.Expr:
    """JSON that Postgres can hold: without `\\u0000`."""
    is_json = cell.str.json_path_match("$").is_not_null() | (cell.str.strip_chars() == "null")
    return pl.when(is_json & ~cell.str.contains(r"\u0000", literal=True)).then(cell.str.strip_chars())
