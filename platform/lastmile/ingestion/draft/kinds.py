"""What the values of a column may be: for each kind of value, which texts are one.

Stricter than the casts of the intake, so that what passes here is read there. Whether a kind is sayable in a contract
is not decided here.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson
import polars as pl

from lastmile.contracts.casts import PLAIN, NumberFormat


@dataclass(frozen=True)
class Kind:
    """A kind of value: texts that match `pattern` and of which `parse` makes a value; it gives null where it cannot.

    `base` is what a contract calls it (`whole`, `number`, `date`, ...); `format` how dates are
    written, in the signs of strftime; `symbol` stands around a number, and `numbers` is how numbers are written.
    """

    base: str
    pattern: str
    parse: Callable[[pl.Series], pl.Series]
    format: str | None = None
    symbol: str | None = None
    numbers: NumberFormat = PLAIN

    def read(self, texts: pl.Series) -> pl.Series:
        """The value of each text, null where it is none of this kind."""
        return self.parse(texts.set(~texts.str.contains(self.pattern), None))

    def is_met(self, texts: Iterable[str]) -> bool:
        """Whether any of the texts may be of this kind: cheaper than to read them."""
        return any(re.match(self.pattern, text) for text in texts)


#: A number with a zero before it is a code, and one of more digits than a double keeps is an identifier.
_WHOLE = r"^[+-]?(?:0|[1-9]\d{0,14})$"
_WHOLE_AS_REAL = r"^[+-]?(?:0|[1-9]\d{0,14})(?:\.0+)?$"
_NUMBER = r"^[+-]?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?$"
_COMMA = r"^[+-]?(?:0|[1-9]\d{0,14}|[1-9]\d{0,2}(?:\.\d{3})+)(?:,\d+)?$"
_GROUPED = r"^[+-]?(?:0|[1-9]\d{0,2}(?:%s\d{3})*|[1-9]\d{0,14})(?:%s\d+)?$"
#: Signs that may stand before or behind a number.
SYMBOLS = ("%", "$", "€", "£")
_BLANKS = "[ \u00a0\u202f'\u2019]"
_TIME = r"^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?$"
_ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?$"

#: Forms of dates, the more usual first, each with the pattern that chrono is too lenient to keep.
DATES = {
    "iso": r"^\d{4}-\d\d-\d\d$",
    "%Y-%m-%d": r"^\d{4}-\d{1,2}-\d{1,2}$",
    "%d/%m/%Y": r"^\d{1,2}/\d{1,2}/\d{4}$",
    "%m/%d/%Y": r"^\d{1,2}/\d{1,2}/\d{4}$",
    "%d.%m.%Y": r"^\d{1,2}\.\d{1,2}\.\d{4}$",
    "%d-%m-%Y": r"^\d{1,2}-\d{1,2}-\d{4}$",
    "%m-%d-%Y": r"^\d{1,2}-\d{1,2}-\d{4}$",
    "%Y/%m/%d": r"^\d{4}/\d{1,2}/\d{1,2}$",
    "%Y.%m.%d": r"^\d{4}\.\d{1,2}\.\d{1,2}$",
    "%d %b %Y": r"^\d{1,2} [A-Za-z]{3} \d{4}$",
    "%d-%b-%Y": r"^\d{1,2}-[A-Za-z]{3}-\d{4}$",
    "%d %B %Y": r"^\d{1,2} [A-Za-z]{3,} \d{4}$",
    "%b %d, %Y": r"^[A-Za-z]{3} \d{1,2}, \d{4}$",
    "%B %d, %Y": r"^[A-Za-z]{3,} \d{1,2}, \d{4}$",
}
#: Forms of the time behind a date.
TIMES = {
    " %H:%M:%S": r" \d{1,2}:\d\d:\d\d$",
    " %H:%M": r" \d{1,2}:\d\d$",
}


def _real(found: pl.Series, numbers: NumberFormat) -> pl.Series:
    for sign in numbers.thousands:
        found = found.str.replace_all(sign, "", literal=True)
    if numbers.decimal != ".":
        found = found.str.replace(numbers.decimal, ".", literal=True)
    values = found.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite(), None)


def _number(pattern: str, numbers: NumberFormat = PLAIN, base: str = "number") -> Kind:
    return Kind(base, pattern, lambda texts: _real(texts, numbers), numbers=numbers)


def _symbol(sign: str) -> Kind:
    either = rf"\s*{re.escape(sign)}\s*"
    pattern = rf"^[+-]?(?:{either})?(?:0|[1-9]\d{{0,14}}|[1-9]\d{{0,2}}(?:,\d{{3}})+)(?:\.\d+)?(?:{either})?$"

    def parse(texts: pl.Series) -> pl.Series:
        bare = texts.str.replace_all(either, "").str.replace_all(",", "", literal=True)
        return bare.cast(pl.Float64, strict=False)

    return Kind("number", pattern, parse, symbol=sign)


def _date(form: str, pattern: str) -> Kind:
    def parse(texts: pl.Series) -> pl.Series:
        days = texts.str.to_date("%Y-%m-%d" if form == "iso" else form, strict=False, cache=False)
        return days.set(~days.dt.year().is_between(1000, 9999), None)

    return Kind("date", pattern, parse, None if form == "iso" else form)


def _datetime(form: str, pattern: str) -> Kind:
    return Kind("datetime", pattern, lambda texts: _moments(texts, form), form)


def _iso_datetime(texts: pl.Series) -> pl.Series:
    """The moment without its zone, to show a range; a date alone counts, as what spreadsheets make of midnight."""
    return _moments(texts.str.head(16).str.replace("T", " ", literal=True), "%Y-%m-%d %H:%M")


def _moments(texts: pl.Series, form: str) -> pl.Series:
    values = texts.str.to_datetime(form, time_unit="us", strict=False, cache=False)
    return values.set(~values.dt.year().is_between(1000, 9999), None)


def _json(texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, [text if text and _is_json(text) else None for text in texts], pl.String)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _all() -> dict[str, Kind]:
    found: dict[str, Kind] = {
        "whole": _number(_WHOLE, base="whole"),
        "whole with point": _number(_WHOLE_AS_REAL, base="number"),
        "number": _number(_NUMBER),
        "comma": _number(_COMMA, NumberFormat(",", ".")),
        "grouped": _number(_GROUPED % (",", r"\."), NumberFormat(".", ",")),
        "spaced": _number(_GROUPED % (_BLANKS, r"\."), NumberFormat(".", _BLANKS[1:-1])),
        "spaced with comma": _number(_GROUPED % (_BLANKS, ","), NumberFormat(",", _BLANKS[1:-1])),
        "datetime": Kind("datetime", _ISO, _iso_datetime),
        "time": Kind("time", _TIME, lambda texts: texts),
        "json": Kind("json", r"^[\[{]", _json),
    }
    found |= {sign: _symbol(sign) for sign in SYMBOLS}
    for form, pattern in DATES.items():
        found[form] = _date(form, pattern)
        for time, behind in TIMES.items():
            if form not in ("iso", "%Y-%m-%d"):
                found[form + time] = _datetime(form + time, pattern[:-1] + behind)
    return found


#: Every kind by name, the one to be preferred first.
KINDS: dict[str, Kind] = _all()
