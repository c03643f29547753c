"""What Kafka Connect says of a field's values: a date is a number of days, a decimal is bytes with a scale.

It stands in the schema that comes with a JSON message, and in the properties of an Avro schema.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

#: Debezium's word for the value of a column that was not sent.
UNSENT = "__debezium_unavailable_value"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL, _VARIABLE = "org.apache.kafka.connect.data.Decimal", "io.debezium.data.VariableScaleDecimal"


@dataclass(frozen=True)
class Meaning:
    """What a field's value stands for: Connect's name for it, the scale of a decimal, its type on the wire."""

    name: str
    scale: int
    kind: str


Meanings = Mapping[str, Meaning]


def of_connect(schema: Mapping[str, Any]) -> dict[str, Meanings]:
    """Of the rows inside the envelope by their names, and of its own fields under the empty name."""
    fields = schema.get("fields") or ()
    inside = {one["field"]: _of_connect(one) for one in fields if one.get("type") == "struct"}
    return {**inside, "": _of_connect(schema)}


def _of_connect(struct: Mapping[str, Any]) -> Meanings:
    return {
        one["field"]: Meaning(
            one.get("name") or "", int((one.get("parameters") or {}).get("scale", 0)), str(one.get("type"))
        )
        for one in struct.get("fields") or ()
    }


def of_avro(schema: Mapping[str, Any]) -> dict[str, Meanings]:
    named: dict[str, Mapping[str, Any]] = {}
    inside = {}
    for one in schema["fields"]:
        record = _record(one["type"], named)
        if record is not None:
            inside[one["name"]] = _of_avro(record)
    return {**inside, "": _of_avro(schema)}


def _record(declared: Any, named: dict[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The record that a field holds; the row's is declared at `before`, and named at `after`."""
    for one in declared if isinstance(declared, list) else [declared]:
        if isinstance(one, dict) and one.get("type") == "record":
            named[one["name"]] = one
            return one
        if isinstance(one, str) and one.rpartition(".")[2] in named:
            return named[one.rpartition(".")[2]]
    return None


def _of_avro(record: Mapping[str, Any]) -> Meanings:
    found = {}
    for one in record["fields"]:
        options = one["type"] if isinstance(one["type"], list) else [one["type"]]
        declared = next((option for option in options if isinstance(option, dict)), {})
        kind = declared.get("type") or next((str(option) for option in options if option != "null"), "")
        found[one["name"]] = Meaning(declared.get("connect.name") or "", int(declared.get("scale", 0)), str(kind))
    return found


def meant(row: Mapping[str, Any] | None, meanings: Meanings) -> dict[str, Any] | None:
    """The row with what its values stand for. Raises ValueError where one cannot."""
    if row is None or not meanings:
        return None if row is None else dict(row)
    return {name: _value(value, meanings[name]) if name in meanings else value for name, value in row.items()}


def _value(value: Any, meaning: Meaning) -> Any:
    if value is None or value == UNSENT:
        return value
    if meaning.name == _DECIMAL:
        return value if isinstance(value, Decimal) else _decimal(_bytes(value), meaning.scale)
    if meaning.name == _VARIABLE:
        return _decimal(_bytes(value["value"]), int(value["scale"]))
    if meaning.name in _NAMED and isinstance(value, int):
        return _NAMED[meaning.name](value)
    return _bytes(value) if meaning.kind == "bytes" else value


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else base64.b64decode(value, validate=True)


def _decimal(unscaled: bytes, scale: int) -> Decimal:
    return Decimal(f"{int.from_bytes(unscaled, 'big', signed=True)}e{-scale}")  # arithmetic would round


def _days(value: int) -> date:
    return _EPOCH.date() + timedelta(days=value)


def _after(**unit: float) -> Callable[[int], datetime]:
    return lambda value: _EPOCH + timedelta(**{name: value * one for name, one in unit.items()})


def _of_day(**unit: float) -> Callable[[int], time]:
    return lambda value: (_EPOCH + timedelta(**{name: value * one for name, one in unit.items()})).time()


#: What numbers stand for, by Connect's names.
_NAMED: Mapping[str, Callable[[int], Any]] = {
    "io.debezium.time.Date": _days,
    "org.apache.kafka.connect.data.Date": _days,
    "io.debezium.time.Timestamp": _after(milliseconds=1),
    "org.apache.kafka.connect.data.Timestamp": _after(milliseconds=1),
    "io.debezium.time.MicroTimestamp": _after(microseconds=1),
    "io.debezium.time.NanoTimestamp": lambda value: _EPOCH + timedelta(microseconds=value // 1000),
    "io.debezium.time.Time": _of_day(milliseconds=1),
    "org.apache.kafka.connect.data.Time": _of_day(milliseconds=1),
    "io.debezium.time.MicroTime": _of_day(microseconds=1),
    "io.debezium.time.NanoTime": lambda value: (_EPOCH + timedelta(microseconds=value // 1000)).time(),
}
