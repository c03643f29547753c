"""Avro messages to events. Those of one schema are put together as one Avro file, which polars reads at once.

A message that is not what its schema says would shift all that follow. So behind each message stands its number, as a
field of its own: where every number comes out right, every message was read from its first byte to its last. Otherwise,
and for schemas that polars does not read, messages are looked at in parts, and in the end one by one.
"""

import io
import json
import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import fastavro
import orjson
import polars as pl

from lastmile.ingestion.panics import as_error
from lastmile.streaming.messages.merging import NUMBER
from lastmile.streaming.schemas.schema import Invalid

if TYPE_CHECKING:
    from fastavro.types import Schema as AvroSchema

_FEW, _PARTS = 32, 8
_GUARD = NUMBER
_SYNC = b"lastmile lastmil"
#: As which column a value of an Avro type is kept; all else as JSON.
_SIMPLE: Mapping[str, pl.DataType] = {
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "string": pl.String(),
    "bytes": pl.Binary(),
    "fixed": pl.Binary(),
    "enum": pl.String(),
}
_LOGICAL: Mapping[str, pl.DataType] = {
    "date": pl.Date(),
    "time-millis": pl.Time(),
    "time-micros": pl.Time(),
    "timestamp-millis": pl.Datetime("ms", "UTC"),
    "timestamp-micros": pl.Datetime("us", "UTC"),
    "local-timestamp-millis": pl.Datetime("ms"),
    "local-timestamp-micros": pl.Datetime("us"),
    "uuid": pl.String(),
}


class AvroReader:
    """Reads messages of one schema, without their frames. Raises Invalid where the schema is not one of records."""

    def __init__(self, schema: Any, named: Mapping[str, Any]) -> None:
        names = dict(named)
        try:
            self._schema: AvroSchema = fastavro.parse_schema(schema, named_schemas=names)
        except Exception as error:  # of many kinds
            raise Invalid(f"no Avro schema: {error}") from None
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise Invalid("expected an Avro schema of records")
        self._types = {one["name"]: _type(one["type"]) for one in schema["fields"]}
        self._header = _file_header(schema) if not named else None
        if self._header is not None and _read(self._header + _block(b"", 0)) is None:
            self._header = None

    def read(self, bodies: Sequence[bytes], first: int, found: list[pl.DataFrame], bad: list[tuple[int, str]]) -> None:
        """Add the events to `found`, each with its number from `first` on as `_number`; to `bad` the numbers of those
        that are none, with the reasons."""
        if len(bodies) <= _FEW:
            self._one_by_one(bodies, first, found, bad)
            return
        whole = self._together(bodies, first)
        if whole is not None:
            found.append(whole)
        elif self._header is None:
            self._one_by_one(bodies, first, found, bad)
        else:
            size = max(_FEW, -(-len(bodies) // _PARTS))
            for start in range(0, len(bodies), size):
                self.read(bodies[start : start + size], first + start, found, bad)

    def _together(self, bodies: Sequence[bytes], first: int) -> pl.DataFrame | None:
        if self._header is None:
            return None
        guards = _guards(len(bodies))
        payload = b"".join(chain.from_iterable(zip(bodies, guards, strict=True)))
        frame = _read(self._header + _block(payload, len(bodies)))
        if frame is None or frame.height != len(bodies):
            return None
        numbers = pl.Series(range(len(bodies)), dtype=pl.Float64)
        if not (frame[_GUARD] == numbers).all():
            return None
        return _plain(frame).with_columns(pl.int_range(first, first + len(bodies), dtype=pl.UInt32).alias(_GUARD))

    def _one_by_one(
        self, bodies: Sequence[bytes], first: int, found: list[pl.DataFrame], bad: list[tuple[int, str]]
    ) -> None:
        events, numbers = [], []
        for number, body in enumerate(bodies, first):
            try:
                events.append(self.one(body))
                numbers.append(number)
            except ValueError as error:
                bad.append((number, f"not what its schema says: {error}"))
        if events:
            columns = {name: [_kept(event.get(name), dtype) for event in events] for name, dtype in self._types.items()}
            frame = pl.DataFrame(columns, schema=dict(self._types), strict=False)
            found.append(frame.with_columns(pl.Series(_GUARD, numbers, pl.UInt32)))

    def one(self, body: bytes) -> dict[str, Any]:
        """The event of one message. Raises ValueError."""
        file = io.BytesIO(body)
        try:
            event = fastavro.schemaless_reader(file, self._schema, None)
        except Exception as error:  # of many kinds: bytes may say anything
            raise ValueError(str(error) or type(error).__name__) from None
        if left := len(body) - file.tell():
            raise ValueError(f"{left} bytes are left behind it")
        return event  # type: ignore[return-value]  # a record


def _type(declared: Any) -> pl.DataType:
    if isinstance(declared, list):
        values = [one for one in declared if one != "null"]
        return _type(values[0]) if len(values) == 1 else pl.String()
    if isinstance(declared, dict):
        logical = declared.get("logicalType")
        if logical == "decimal":
            return pl.Decimal(declared.get("precision", 38), declared.get("scale", 0))
        return _LOGICAL.get(str(logical)) or _type(declared.get("type"))
    return _SIMPLE.get(declared) or pl.String() if isinstance(declared, str) else pl.String()


def _kept(value: Any, dtype: pl.DataType) -> Any:
    """Of what has no column of its own, the JSON."""
    if dtype == pl.String() and value is not None and not isinstance(value, str):
        if isinstance(value, bytes):
            return value.hex()
        return orjson.dumps(value, default=_as_text).decode() if isinstance(value, dict | list) else _as_text(value)
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _guards(count: int) -> list[bytes]:
    """The numbers from 0 on, as Avro writes doubles."""
    packed = struct.pack(f"<{count}d", *range(count))
    return [packed[at : at + 8] for at in range(0, len(packed), 8)]


def _file_header(schema: Mapping[str, Any]) -> bytes:
    fields = [*schema["fields"], {"name": _GUARD, "type": "double"}]
    text = json.dumps({**schema, "fields": fields}).encode()
    name = b"avro.schema"
    return b"Obj\x01" + _long(1) + _long(len(name)) + name + _long(len(text)) + text + b"\0" + _SYNC


def _block(payload: bytes, count: int) -> bytes:
    return _long(count) + _long(len(payload)) + payload + _SYNC


def _long(number: int) -> bytes:
    zigzag, written = number << 1, bytearray()
    while zigzag > 0x7F:
        written.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    written.append(zigzag)
    return bytes(written)


def _read(file: bytes) -> pl.DataFrame | None:
    """None where polars does not read it."""
    try:
        return pl.read_avro(io.BytesIO(file))
    except BaseException as error:  # a panic is none of Exception
        as_error(error)
        return None


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.selectors.categorical().cast(pl.String))
