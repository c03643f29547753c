"""Debezium's envelopes, as JSON or Avro, to changes of rows.

Values become what they stand for, as far as a schema says so. Without one, as Connect's JSON converter writes with
`schemas.enable=false`, they stay as they are. A tombstone, the empty message that follows a deletion, is no
change. A column that was not sent, since it is large and did not change, is named in `unsent`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast, get_args

import orjson
import polars as pl

from lastmile.streaming.messages import connect
from lastmile.streaming.messages.avro import AvroReader
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.connect import UNSENT
from lastmile.streaming.messages.framing import FRAME_BYTES, schema_id
from lastmile.streaming.messages.json_lines import poisoned
from lastmile.streaming.schemas.registry import Registry
from lastmile.streaming.schemas.resolving import avro_names
from lastmile.streaming.schemas.schema import Invalid, Unknown, document

#: Create, update, delete, read by a snapshot, truncate.
Op = Literal["c", "u", "d", "r", "t"]
_MESSAGE = "m"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A change of one row. `lsn` orders the changes of a Postgres, and says which were seen; of others it is None."""

    op: Op
    #: Schema and table at the source, as far as it says.
    table: str
    key: Row | None
    before: Row | None
    after: Row | None
    lsn: int | None
    #: When it was committed at the source.
    at: datetime | None
    transaction: str | None
    #: Partition and offset of the message.
    place: tuple[int, int]
    unsent: frozenset[str] = frozenset()
    #: All that is said of where it came from.
    source: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """`poison` has the columns of POISON."""

    found: list[Change]
    poison: pl.DataFrame


class Debezium:
    """Reads the messages of one topic. A registry that cannot be reached raises UserError."""

    def __init__(self, registry: Callable[[], Registry]) -> None:
        self._open = registry
        self._readers: dict[int, tuple[AvroReader, Mapping[str, connect.Meanings]]] = {}

    def changes(self, messages: Messages) -> Changes:
        """The changes in the order of the messages, and the messages that are none."""
        found: list[Change] = []
        bad: list[tuple[int, str]] = []
        for number, value in enumerate(messages.values):
            key = messages.key(number)
            if value is None and key is not None:
                continue
            try:
                change = self._change(value, key, (messages.partitions[number], messages.offsets[number]))
            except (ValueError, TypeError, KeyError, OverflowError, Unknown, Invalid) as error:
                bad.append((number, f"expected Debezium's envelope: {error}"))
                continue
            if change is not None:
                found.append(change)
        return Changes(found, poisoned(messages, bad))

    def _change(self, value: bytes | None, key: bytes | None, place: tuple[int, int]) -> Change | None:
        if not value:
            raise ValueError("the message has no value")
        envelope, meanings = self._read(value)
        op = envelope.get("op")
        if op == _MESSAGE:
            return None
        if op not in get_args(Op):
            raise ValueError(f"op is {op!r}, and one of {', '.join(get_args(Op))} is expected")
        before, after, source = (_row(envelope.get(name)) for name in ("before", "after", "source"))
        if after is None and op in ("c", "u", "r"):
            raise ValueError(f"op is {op!r}, and after is empty")
        source = source or {}
        sent, unsent = _sent(connect.meant(after, meanings.get("after", {})))
        return Change(
            cast("Op", op),
            ".".join(str(source[name]) for name in ("schema", "table") if source.get(name)),
            self._key(key),
            connect.meant(before, meanings.get("before", {})),
            sent,
            _whole(source.get("lsn")),
            _moment(source),
            str(source["txId"]) if source.get("txId") is not None else None,
            place,
            unsent,
            source,
        )

    def _key(self, key: bytes | None) -> Row | None:
        """None where it says nothing."""
        if not key:
            return None
        read, meanings = self._read(key)
        return connect.meant(read, meanings.get("", {}))

    def _read(self, value: bytes) -> tuple[dict[str, Any], Mapping[str, connect.Meanings]]:
        number = schema_id(value)
        if number is not None:
            reader, meanings = self._reader(number)
            return reader.one(value[FRAME_BYTES:]), meanings
        found = orjson.loads(value)
        if not isinstance(found, dict):
            raise TypeError("an object")
        if "payload" in found and "schema" in found:
            if not isinstance(found["payload"], dict):
                raise TypeError("an object as payload")
            return found["payload"], connect.of_connect(found["schema"] or {})
        return found, {}

    def _reader(self, number: int) -> tuple[AvroReader, Mapping[str, connect.Meanings]]:
        if number not in self._readers:
            registry = self._open()
            schema = registry.by_id(number)
            if schema.kind != "AVRO":
                raise Invalid(f"schema {number} is {schema.kind}, expected AVRO")
            said = document(schema)
            self._readers[number] = AvroReader(said, avro_names(registry, schema)), connect.of_avro(said)
        return self._readers[number]


def _row(value: Any) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise TypeError("rows as objects")
    return value


def _sent(row: dict[str, Any] | None) -> tuple[dict[str, Any] | None, frozenset[str]]:
    if row is None:
        return None, frozenset()
    unsent = frozenset(name for name, value in row.items() if value in (UNSENT, UNSENT.encode()))
    return {name: value for name, value in row.items() if name not in unsent}, unsent


def _moment(source: Row) -> datetime | None:
    for name, unit in (("ts_us", "microseconds"), ("ts_ms", "milliseconds")):
        value = source.get(name)
        if isinstance(value, int) and value > 0:
            return _EPOCH + timedelta(**{unit: value})
    return None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
