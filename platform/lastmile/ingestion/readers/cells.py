"""What a value is as text: exact, without a guess at what it was meant to be."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
import polars as pl


class Numeral(str):
    """A number as its source writes it, so that `0.10` stays `0.10` and no digit is lost."""


def cell_text(value: Any) -> str | None:
    """Null where there is no value; dates and times in ISO form, whole floats without a point, what is nested as JSON.

    Raises UnicodeDecodeError for bytes that are not UTF-8.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict | list | tuple):
        return json_text(value)
    return str(value)


def json_text(value: Any) -> str:
    """As `json.dumps` without blanks, but numerals keep their digits and any other value becomes its text in quotes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(str(key))}:{json_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, Numeral) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return json.dumps(cell_text(value), ensure_ascii=False)


def raw_rows(frame: pl.DataFrame) -> Callable[[Sequence[int]], list[str]]:
    """Rows by position, each as the JSON text of an object; for formats whose source is not text."""
    return lambda positions: [orjson.dumps(frame.row(position, named=True)).decode() for position in positions]
