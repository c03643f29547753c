"""What a value is as text: exact, without a guess at what it was meant to be; one rule for all formats."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.types import Kind
from lastmile.ingestion.validation.header_match import fit

#: From here on a double does not hold every whole number, so its last digits may not be those that were meant.
WHOLE_IN_DOUBLE = 2**53


class Numeral(str):
    """A number as its source writes it, so that `0.10` stays `0.10` and no digit is lost."""

    @property
    def may_have_lost_digits(self) -> bool:
        """Whether it was a double that does not hold every whole number, to go by its exponent."""
        return "e" in self.lower() and not _is_below(self, WHOLE_IN_DOUBLE)


def numeral(text: str) -> Numeral:
    """Of a whole number that a double holds, the plain digits: `254712345678` for `2.54712345678e+11`."""
    if "e" in text.lower() and _is_below(text, WHOLE_IN_DOUBLE) and Decimal(text) % 1 == 0:
        return Numeral(f"{Decimal(text):.0f}")
    return Numeral(text)


def _is_below(text: str, bound: int) -> bool:
    try:
        return abs(Decimal(text)) < bound
    except ArithmeticError:  # an exponent that no computer reckons with
        return False


def cell_text(value: Any) -> str | None:
    """Null where there is no value; dates and times in ISO form, durations as `36:00:00`, what is nested as JSON.

    Raises UnicodeDecodeError for bytes that are not UTF-8.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_text(value // timedelta(microseconds=1), 1_000_000)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict | list | tuple):
        return json_text(value)
    return str(value)


def float_text(value: float) -> str:
    """The fewest digits that stand for this double alone, without an exponent from 1e-4 to 1e16; `4` for 4.0."""
    return repr(value + 0.0).removesuffix(".0")  # -0.0 + 0.0 is 0.0


def duration_text(units: int, per_second: int) -> str:
    """Hours, minutes and seconds, however many hours: `36:00:00`, `-00:00:01.500000`."""
    seconds, fraction = divmod(abs(units), per_second)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    behind = f".{fraction:0{len(str(per_second)) - 1}}" if fraction else ""
    return f"{'-' if units < 0 else ''}{text}{behind}"


def json_text(value: Any) -> str:
    """As `json.dumps` without blanks, but numbers keep their digits and any other value becomes its text in quotes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(str(key))}:{json_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json_text, value)) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = cell_text(value)
    is_number = isinstance(value, Numeral | int | Decimal) or (isinstance(value, float) and math.isfinite(value))
    return str(text) if is_number else json.dumps(text, ensure_ascii=False)


def raw_rows(frame: pl.DataFrame) -> Callable[[Sequence[int]], list[str]]:
    """Rows by position, each as the JSON text of an object; for formats whose source is not text."""
    return lambda positions: [orjson.dumps(frame.row(position, named=True)).decode() for position in positions]


def kinds_of(header: Sequence[str], contract: Contract) -> dict[str, Kind]:
    """What each header's column is declared as; undeclared ones are not among them."""
    declared = contract.expanded(header)
    return {name: declared.kinds[column] for column, name in fit(contract, header)[0].items()}


def needs_every_digit(kind: Kind | None) -> bool:
    """Whether a number that has lost digits would pass for another in a column of this kind."""
    return kind is not None and kind.name in ("text", "whole number", "decimal")
