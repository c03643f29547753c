"""Events to what is kept of them in the journal, and to the values of messages."""

import io
import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import orjson

from lastmile.client.producing.schemas import InvalidEvent, Schema

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["json", "avro", "arrow"]
Event = Mapping[str, Any]
_FRAME = struct.Struct(">bI")
#: Of an envelope; brokers refuse a message above a megabyte unless they are set up otherwise.
MOST_ENVELOPE_BYTES = 900_000


def encoder(format_: Format, schema: Schema | None) -> Callable[[Event], bytes]:
    """What makes the bytes of an event, and raises InvalidEvent where it does not fit the schema."""
    if format_ != "avro":
        return _json_encoder(schema)
    if schema is None or schema.kind != "AVRO" or schema.id is None:
        raise ValueError("format avro needs an Avro schema of the registry: Schema.of_registry(url, subject)")
    return _avro_encoder(schema)


def as_json(event: Any) -> bytes:
    """Raises InvalidEvent for what JSON cannot say."""
    try:
        return orjson.dumps(event, default=_text, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise InvalidEvent(f"JSON cannot say it: {error}") from None


def _json_encoder(schema: Schema | None) -> Callable[[Event], bytes]:
    check = schema.check() if schema else None

    def encoded(event: Event) -> bytes:
        text = as_json(event)
        if text[:1] != b"{":
            raise InvalidEvent(f"expected an object, found {text[:100].decode(errors='replace')}")
        if check:
            check(orjson.loads(text))
        return text

    return encoded


def _avro_encoder(schema: Schema) -> Callable[[Event], bytes]:
    import fastavro

    check, parsed, frame = schema.check(), fastavro.parse_schema(schema.document), _FRAME.pack(0, schema.id)

    def encoded(event: Event) -> bytes:
        check(event)
        written = io.BytesIO(frame)
        written.seek(len(frame))
        try:
            fastavro.schemaless_writer(written, parsed, event)
        except Exception as error:  # of many kinds
            raise InvalidEvent(f"Avro cannot say it: {error}") from None
        return written.getvalue()

    return encoded


class Envelopes:
    """Makes events, as lines of JSON, into Arrow streams. A column stays what the schema, or its first events, say."""

    def __init__(self, schema: Schema | None) -> None:
        import pyarrow as pa

        properties = schema.document.get("properties", {}) if schema and schema.kind == "JSON" else {}
        self._texts = {name for name, one in properties.items() if _is_text(one)}
        self._string = pa.string()

    def made(self, lines: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Envelopes of events in order: the number of the first of each, how many it has, and the message."""
        yield from envelopes(self._table(lines))

    def _table(self, lines: Sequence[bytes]) -> "pa.Table":
        import pyarrow as pa

        try:
            table = self._read(lines)
            if found := [one.name for one in table.schema if pa.types.is_temporal(one.type)]:
                self._texts.update(found)  # a text that looks like a time stays as it was written
                table = self._read(lines)
        except pa.ArrowException:  # columns with values of several kinds
            return _of_texts(lines)
        return table

    def _read(self, lines: Sequence[bytes]) -> "pa.Table":
        import pyarrow as pa
        import pyarrow.json

        names = pa.schema([(name, self._string) for name in sorted(self._texts)])
        table = pyarrow.json.read_json(
            io.BytesIO(b"\n".join(lines)),
            pyarrow.json.ReadOptions(use_threads=False, block_size=max(1 << 20, sum(map(len, lines)) + len(lines))),
            pyarrow.json.ParseOptions(explicit_schema=names),
        )
        if table.num_rows != len(lines):
            raise pa.ArrowInvalid("not a line for each event")
        return table


def envelopes(table: "pa.Table", first: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """The table as Arrow streams that are no longer than a message may be, but for a single event that is."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    value = sink.getvalue()
    if value.size <= MOST_ENVELOPE_BYTES or table.num_rows <= 1:
        yield first, table.num_rows, value.to_pybytes()
        return
    half = table.num_rows // 2
    yield from envelopes(table.slice(0, half), first)
    yield from envelopes(table.slice(half), first + half)


def _of_texts(lines: Sequence[bytes]) -> "pa.Table":
    """Each column as text, whatever its values are."""
    import pyarrow as pa

    events = [orjson.loads(line) for line in lines]
    names = dict.fromkeys(name for event in events for name in event)
    columns = {name: pa.array([_as_text(event.get(name)) for event in events], pa.string()) for name in names}
    return pa.table(columns)


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_text(one: Any) -> bool:
    kinds = one.get("type") if isinstance(one, dict) else None
    return kinds == "string" or (isinstance(kinds, list) and set(kinds) == {"string", "null"})


def _text(value: object) -> Any:
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} {value!r:.100}")
