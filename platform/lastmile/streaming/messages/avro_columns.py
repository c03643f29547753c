"""Many Avro messages of one schema at once: a field of all of them, then the next, by numpy.

Every byte is checked, as reading them one by one would: lengths within their message, branches and symbols that there
are, text that is UTF-8, nothing left behind. A message that fails is marked and takes no part in what follows, so the
others are not touched by it. Fields of simple types, or null, or lists of them; other schemas are not read here.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

Numbers = np.ndarray[Any, np.dtype[Any]]
#: Longest of a 64-bit number: 7 bits to a byte.
_LONGEST = 10
#: What can be a date, in days since 1970.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_MICROS = 86_400_000_000
_EXACT = Context(prec=10_000)
#: Of a decimal, in a column.
MOST_DIGITS = 38


class Unreadable(Exception):
    """A schema that has other fields than are read here."""


class Cursor:
    """Where each message is being read; `ok` until something in it is not as it should be."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self.data = np.frombuffer(b"".join([*bodies, bytes(16)]), np.uint8)
        lengths = np.fromiter(map(len, bodies), np.int64, len(bodies))
        self.end = np.cumsum(lengths)
        self.at = self.end - lengths
        self.ok = np.ones(len(bodies), bool)

    def fail(self, rows: Numbers) -> None:
        self.ok[rows] = False
        self.at[rows] = self.end[rows]

    def long(self, rows: Numbers) -> Numbers:
        """The next number of each of the messages."""
        value, at, open_ = np.zeros(len(rows), np.uint64), self.at[rows], np.arange(len(rows))
        for byte_number in range(_LONGEST):
            byte = self.data[at[open_]]
            value[open_] |= (byte & 0x7F).astype(np.uint64) << np.uint64(7 * byte_number)
            at[open_] += 1
            open_ = open_[(byte & 0x80) != 0]
            inside = at[open_] < self.end[rows[open_]]
            if not open_.size:
                break
            open_ = open_[inside]
        over = at > self.end[rows]
        self.at[rows] = at
        failed = np.zeros(len(rows), bool)
        failed[open_] = True
        unfinished = (self.data[np.maximum(at - 1, 0)] & 0x80) != 0
        self.fail(rows[over | failed | unfinished])
        number = (value >> np.uint64(1)) ^ (np.uint64(0) - (value & np.uint64(1)))
        return number.view(np.int64)

    def skip(self, rows: Numbers, lengths: Numbers) -> Numbers:
        """Where the next bytes begin, which are passed; a message that has not so many fails, and begins at none."""
        starts = self.at[rows]
        wrong = (lengths < 0) | (lengths > self.end[rows] - starts)
        self.at[rows] = starts + np.where(wrong, 0, lengths)
        self.fail(rows[wrong])
        return starts

    def take(self, rows: Numbers, size: int) -> Numbers:
        """The next bytes of each, as rows of a matrix; zeros where there are not so many."""
        starts = self.skip(rows, np.full(len(rows), size, np.int64))
        found = self.data[np.minimum(starts[:, None] + np.arange(size), len(self.data) - 1)]
        return np.where(self.ok[rows][:, None], found, 0).astype(np.uint8)

    def expect(self, rows: Numbers, holds: Numbers) -> None:
        self.fail(rows[~holds])


#: Reads a field of the messages of these numbers; of one that fails the value is of no account.
Read = Callable[[Cursor, Numbers], pl.Series]


class Columns:
    """Reads messages of a schema of records. Raises Unreadable where it has fields that are not read here."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._fields = [(str(one["name"]), _field(one["type"])) for one in schema["fields"]]

    def read(self, bodies: Sequence[bytes]) -> tuple[pl.DataFrame, Numbers]:
        """The events of the messages that are as they should be, and the numbers of these."""
        cursor, rows = Cursor(bodies), np.arange(len(bodies))
        columns = [read(cursor, rows).alias(name) for name, read in self._fields]
        cursor.expect(rows, cursor.at == cursor.end)
        good = np.flatnonzero(cursor.ok)
        frame = pl.DataFrame(columns)
        return (frame if len(good) == len(bodies) else frame[good]), good


def _field(declared: Any) -> Read:
    if isinstance(declared, list):
        return _optional(declared)
    if isinstance(declared, dict) and declared.get("type") == "array":
        return _array(_simple(declared["items"]))
    return _simple(declared)


def _simple(declared: Any) -> Read:
    kind = declared.get("type") if isinstance(declared, dict) else declared
    said = declared if isinstance(declared, dict) else {}
    logical = said.get("logicalType")
    if kind == "enum":
        return _enum(said["symbols"])
    if kind in ("bytes", "fixed"):
        size = int(said["size"]) if kind == "fixed" else None
        return _decimal(size, said) if logical == "decimal" else _bytes(size)
    if kind == "string":
        return _string
    if kind in ("int", "long"):
        return _LOGICAL.get(str(logical)) or (_int if kind == "int" else _long)
    if kind in _OTHERS:
        return _OTHERS[str(kind)]
    raise Unreadable(str(declared))


def _optional(branches: list[Any]) -> Read:
    if len(branches) != 2 or "null" not in branches:
        raise Unreadable(str(branches))
    null = branches.index("null")
    value = _field(branches[1 - null])

    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        branch = cursor.long(rows)
        cursor.expect(rows, (branch == 0) | (branch == 1))
        there = np.flatnonzero((branch != null) & cursor.ok[rows])
        found = value(cursor, rows[there])
        if len(there) == len(rows):
            return found
        places = np.full(len(rows), -1, np.int64)
        places[there] = np.arange(len(there))
        return found.gather(pl.Series(places).replace(-1, None).cast(pl.UInt32))

    return read


def _array(item: Read) -> Read:
    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        found: list[pl.DataFrame] = []
        open_, left = np.arange(len(rows)), np.zeros(len(rows), np.int64)
        while open_.size:
            begins = open_[left[open_] == 0]
            count = cursor.long(rows[begins])
            sized = begins[count < 0]
            cursor.long(rows[sized])
            left[begins] = np.abs(count)
            open_ = open_[(left[open_] > 0) & cursor.ok[rows[open_]]]
            values = item(cursor, rows[open_])
            found.append(pl.DataFrame({"row": open_.astype(np.uint32), "value": values}))
            left[open_] -= 1
        lists = pl.concat(found).sort("row", maintain_order=True).group_by("row", maintain_order=True).agg("value")
        every = pl.DataFrame({"row": np.arange(len(rows), dtype=np.uint32)})
        joined = every.join(lists, on="row", how="left", maintain_order="left")["value"]
        return joined.fill_null(pl.Series([[]], dtype=joined.dtype))

    return read


def _long(cursor: Cursor, rows: Numbers) -> pl.Series:
    return pl.Series(cursor.long(rows))


def _int(cursor: Cursor, rows: Numbers) -> pl.Series:
    return pl.Series(_whole(cursor, rows, -(2**31), 2**31 - 1).astype(np.int32))


def _whole(cursor: Cursor, rows: Numbers, least: int, most: int) -> Numbers:
    number = cursor.long(rows)
    fits = (number >= least) & (number <= most)
    cursor.expect(rows, fits)
    return np.where(fits, number, 0)


def _moment(unit: int, dtype: pl.DataType) -> Read:
    """A number of units since 1970, `unit` of them a day."""

    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        return pl.Series(_whole(cursor, rows, _FIRST_DAY * unit, (_LAST_DAY + 1) * unit - 1)).cast(dtype)

    return read


def _of_day(unit: int) -> Read:
    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        return pl.Series(_whole(cursor, rows, 0, unit - 1) * (_DAY_MICROS * 1_000 // unit)).cast(pl.Time())

    return read


def _boolean(cursor: Cursor, rows: Numbers) -> pl.Series:
    byte = cursor.take(rows, 1)[:, 0]
    cursor.expect(rows, byte <= 1)
    return pl.Series(byte == 1)


def _number(kind: str) -> Read:
    size = np.dtype(kind).itemsize

    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        return pl.Series(np.ascontiguousarray(cursor.take(rows, size)).view(kind)[:, 0].astype(kind[1:]))

    return read


def _enum(symbols: Sequence[str]) -> Read:
    known = pl.Series(list(symbols), dtype=pl.String)

    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        return known.gather(_whole(cursor, rows, 0, len(symbols) - 1).astype(np.uint32))

    return read


def _bytes(size: int | None) -> Read:
    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        return pl.Series(_binary(cursor, rows, size))

    return read


def _string(cursor: Cursor, rows: Numbers) -> pl.Series:
    found = _binary(cursor, rows, None)
    try:
        return pl.Series(found.cast(pa.large_string()))
    except pa.ArrowInvalid:
        texts = [_text(value) for value in found.to_pylist()]
        cursor.expect(rows, np.array([text is not None for text in texts], bool))
        return pl.Series(texts, dtype=pl.String)


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _decimal(size: int | None, said: Mapping[str, Any]) -> Read:
    precision, scale = int(said.get("precision", MOST_DIGITS)), int(said.get("scale", 0))
    if precision > MOST_DIGITS:
        raise Unreadable(f"a decimal of {precision} digits")
    dtype = pl.Decimal(precision, scale)

    def read(cursor: Cursor, rows: Numbers) -> pl.Series:
        unscaled = [int.from_bytes(value, "big", signed=True) for value in _binary(cursor, rows, size).to_pylist()]
        fits = np.array([abs(number) < 10**precision for number in unscaled], bool)
        cursor.expect(rows, fits)
        kept = [number if fit else 0 for number, fit in zip(unscaled, fits, strict=True)]
        values = [Decimal(number).scaleb(-scale, _EXACT) for number in kept]
        return pl.Series(values, dtype=dtype)

    return read


def _binary(cursor: Cursor, rows: Numbers, size: int | None) -> pa.Array:
    """The next bytes of each, as long as they say, or of one size; empty where a message fails."""
    lengths = cursor.long(rows) if size is None else np.full(len(rows), size, np.int64)
    starts = cursor.skip(rows, lengths)
    lengths = np.where(cursor.ok[rows], lengths, 0)
    ends = np.cumsum(lengths)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(ends[-1] if len(ends) else 0)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(cursor.data[places]))]
    return pa.Array.from_buffers(pa.large_binary(), len(rows), buffers)


_MILLIS = 86_400_000
_LOGICAL: Mapping[str, Read] = {
    "date": _moment(1, pl.Date()),
    "timestamp-millis": _moment(_MILLIS, pl.Datetime("ms", "UTC")),
    "timestamp-micros": _moment(_DAY_MICROS, pl.Datetime("us", "UTC")),
    "local-timestamp-millis": _moment(_MILLIS, pl.Datetime("ms")),
    "local-timestamp-micros": _moment(_DAY_MICROS, pl.Datetime("us")),
    "time-millis": _of_day(_MILLIS),
    "time-micros": _of_day(_DAY_MICROS),
}
_OTHERS: Mapping[str, Read] = {"boolean": _boolean, "float": _number("<f4"), "double": _number("<f8")}
