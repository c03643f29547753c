"""Avro messages to events: many at once as far as their schema allows; others, and those with faults, one by one."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import fastavro
import orjson
import polars as pl

from lastmile.streaming.messages.avro_columns import MOST_DIGITS, Columns, Unreadable
from lastmile.streaming.messages.merging import NUMBER
from lastmile.streaming.schemas.schema import Invalid

if TYPE_CHECKING:
    from fastavro.types import Schema as AvroSchema

#: Below so many, one by one is as fast.
_FEW = 8
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
}


class AvroReader:
    """Reads messages of one schema, without their frames. Raises Invalid where the schema is not one of records."""

    def __init__(self, schema: Any, named: Mapping[str, Any]) -> None:
        names = dict(named)
        try:
            self._schema: AvroSchema = fastavro.parse_schema(_without_uuids(schema), named_schemas=names)
        except Exception as error:  # of many kinds
            raise Invalid(f"no Avro schema: {error}") from None
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise Invalid("expected an Avro schema of records")
        self._types = {one["name"]: _type(one["type"]) for one in schema["fields"]}
        try:
            self._columns: Columns | None = Columns(schema)
        except Unreadable:
            self._columns = None

    def read(self, bodies: Sequence[bytes], first: int, found: list[pl.DataFrame], bad: list[tuple[int, str]]) -> None:
        """Add the events to `found`, each with its number from `first` on as `_number`; to `bad` the numbers of those
        that are none, with the reasons."""
        if self._columns is None or len(bodies) < _FEW:
            self._one_by_one(bodies, range(first, first + len(bodies)), found, bad)
            return
        events, good = self._columns.read(bodies)
        if len(good):
            found.append(events.with_columns(pl.Series(NUMBER, good + first, pl.UInt32)))
        if len(good) < len(bodies):
            others = sorted(set(range(len(bodies))) - set(good.tolist()))
            self._one_by_one([bodies[number] for number in others], [number + first for number in others], found, bad)

    def _one_by_one(
        self,
        bodies: Sequence[bytes],
        numbers: Sequence[int],
        found: list[pl.DataFrame],
        bad: list[tuple[int, str]],
    ) -> None:
        events, good = [], []
        for number, body in zip(numbers, bodies, strict=True):
            try:
                events.append(self.one(body))
                good.append(number)
            except ValueError as error:
                bad.append((number, f"not what its schema says: {error}"))
        if events:
            columns = {name: [_kept(event.get(name), dtype) for event in events] for name, dtype in self._types.items()}
            frame = pl.DataFrame(columns, schema=dict(self._types), strict=False)
            found.append(frame.with_columns(pl.Series(NUMBER, good, pl.UInt32)))

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


def _without_uuids(schema: Any) -> Any:
    """UUIDs as the texts they are: whether one is well formed is for the contract to say."""
    if isinstance(schema, dict):
        return {key: _without_uuids(value) for key, value in schema.items() if (key, value) != ("logicalType", "uuid")}
    return [_without_uuids(one) for one in schema] if isinstance(schema, list) else schema


def _type(declared: Any) -> pl.DataType:
    if isinstance(declared, list):
        values = [one for one in declared if one != "null"]
        return _type(values[0]) if len(values) == 1 else pl.String()
    if isinstance(declared, dict):
        logical = declared.get("logicalType")
        if logical == "decimal":
            precision = declared.get("precision", 38)
            return pl.Decimal(precision, declared.get("scale", 0)) if precision <= MOST_DIGITS else pl.String()
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
