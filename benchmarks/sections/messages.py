"""How many events of about 200 bytes does each codec decode in a second of one core, and does the broker carry?"""

import io
import json
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import fastavro
import polars as pl
import pyarrow as pa

from benchmarks.bench import Bench
from benchmarks.comparing import PROJECT
from benchmarks.results import Found
from lastmile.store import Store, open_store
from lastmile.streaming.messages.arrow import ArrowEnvelopes
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.debezium import Debezium
from lastmile.streaming.messages.framed import Framed
from lastmile.streaming.messages.json_lines import JsonLines
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.schema import Schema

if TYPE_CHECKING:
    from lastmile.streaming.messages.codecs import Codec

_BATCH, _ENVELOPE = 20_000, 1_000
_TYPES: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "page": pl.String(),
    "seconds": pl.Float64(),
    "at": pl.Datetime("us", "UTC"),
    "agent": pl.String(),
    "is_mobile": pl.Boolean(),
}
_AVRO = {
    "type": "record",
    "name": "View",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "page", "type": "string"},
        {"name": "seconds", "type": ["null", "double"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "agent", "type": "string"},
        {"name": "is_mobile", "type": "boolean"},
    ],
}


def run(bench: Bench) -> list[Found]:
    with TemporaryDirectory(prefix="lastmile-messages-") as folder:
        return [_codecs(FileRegistry(_store(Path(folder)))), _broker(Path(folder), bench.rows)]


def _store(folder: Path) -> Store:
    from dataclasses import replace

    from lastmile.settings import Settings

    return open_store(replace(Settings(), store_url=(folder / "store").as_uri()))


def _event(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "page": f"/articles/{number % 500}",
        "seconds": number % 97 / 7,
        "at": f"2024-05-31T12:{number // 60 % 60:02}:{number % 60:02}.123456Z",
        "agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/126.0",
        "is_mobile": number % 3 == 0,
    }


def _codecs(registry: FileRegistry) -> Found:
    events = [_event(number) for number in range(_BATCH)]
    typed = pl.DataFrame(events).with_columns(pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC"))
    lines = [json.dumps(event).encode() for event in events]
    avro = _framed(registry, "avro", Schema("AVRO", json.dumps(_AVRO)), _avro(typed))
    framed = _framed(registry, "json", Schema("JSON", '{"type": "object"}'), lines)
    changes = [json.dumps({"op": "c", "before": None, "after": one, "source": {"lsn": 1}}).encode() for one in events]
    contenders: Sequence[tuple[str, Codec, list[bytes], int]] = (
        ("JSON", JsonLines(_TYPES), lines, 1),
        ("JSON in a frame", Framed(lambda: registry, _TYPES), framed, 1),
        ("Avro", Framed(lambda: registry, _TYPES), avro, 1),
        ("Protobuf", Framed(lambda: registry, _TYPES), _protobuf(registry, typed), 1),
        (f"Arrow, {_ENVELOPE:,} a message", ArrowEnvelopes(), _envelopes(typed), _ENVELOPE),
    )
    rows = [_rate(name, codec.decode, values, each) for name, codec, values, each in contenders]
    rows.append(_rate("Debezium's JSON", Debezium(lambda: registry).changes, changes, 1))
    return Found(f"Events decoded per second of CPU, batches of {_BATCH:,}", rows)


def _rate(name: str, decode: Callable[[Messages], Any], values: list[bytes], each: int) -> dict[str, Any]:
    count = len(values)
    messages = Messages(values, [0] * count, range(count), [-1] * count)
    decode(messages)
    rounds, cpu, wall = 5, time.process_time(), time.perf_counter()
    for _ in range(rounds):
        decode(messages)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    events = count * each * rounds
    size = sum(map(len, values)) / count / each
    return {
        "codec": name,
        "bytes an event": f"{size:.0f}",
        "events/s of CPU": f"{events / cpu:,.0f}",
        "events/s": f"{events / wall:,.0f}",
    }


def _framed(registry: FileRegistry, subject: str, schema: Schema, bodies: Sequence[bytes]) -> list[bytes]:
    frame = b"\0" + struct.pack(">I", registry.register(subject, schema).id)
    return [frame + body for body in bodies]


def _avro(typed: pl.DataFrame) -> list[bytes]:
    parsed, written = fastavro.parse_schema(_AVRO), []
    for event in typed.iter_rows(named=True):
        file = io.BytesIO()
        fastavro.schemaless_writer(file, parsed, event)
        written.append(file.getvalue())
    return written


def _protobuf(registry: FileRegistry, typed: pl.DataFrame) -> list[bytes]:
    import base64

    sys.path.insert(0, str(PROJECT / "tests"))
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from streaming.orders_proto import add, message_class

    file = FileDescriptorProto(name="views.proto", package="bench", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    view = file.message_type.add(name="View")
    for number, (name, kind) in enumerate((("id", "int64"), ("page", "string"), ("seconds", "double")), 1):
        add(view, number, name, kind)
    add(view, 4, "at", "message", of=".google.protobuf.Timestamp")
    add(view, 5, "agent", "string")
    add(view, 6, "is_mobile", "bool")
    made, bodies = message_class(file, "bench.View"), []
    for event in typed.iter_rows(named=True):
        at = event.pop("at")
        one = made(**event)
        one.at.FromDatetime(at)
        bodies.append(b"\0" + one.SerializeToString())
    text = base64.standard_b64encode(file.SerializeToString()).decode()
    return _framed(registry, "protobuf", Schema("PROTOBUF", text), bodies)


def _envelopes(typed: pl.DataFrame) -> list[bytes]:
    written = []
    for start in range(0, typed.height, _ENVELOPE):
        table = typed.slice(start, _ENVELOPE).to_arrow()
        file = io.BytesIO()
        with pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
        written.append(file.getvalue())
    return written


def _broker(folder: Path, events: int) -> Found:
    """One producer, then one consumer, and the broker, on the same cores."""
    sys.path.insert(0, str(PROJECT / "tests"))
    from kafka_broker import running_broker

    rows = []
    with running_broker(folder / "kafka") as broker:
        for name, size, count, each in (
            ("messages of 200 B", 200, events, 1),
            ("envelopes of 1,000 events of 200 B", 200_000, events // 1000 * 5, 1000),
        ):
            topic = broker.new_topic(partitions=4, max_message_bytes=1_000_000)
            body, began = b"x" * size, time.perf_counter()
            with broker.producer(linger_ms=5, queue_buffering_max_messages=1_000_000) as producer:
                for number in range(count):
                    while True:
                        try:
                            producer.produce(topic, body, partition=number % 4)
                            break
                        except BufferError:
                            producer.poll(0.01)
            wrote, began = time.perf_counter() - began, time.perf_counter()
            for partition in range(4):
                broker.read(topic, count // 4, partition)
            read = time.perf_counter() - began
            rate = {"written": f"{count * each / wrote:,.0f}", "read": f"{count * each / read:,.0f}"}
            rows.append({"": name, **{f"events/s {key}": value for key, value in rate.items()}})
    note = "Every acknowledged message is on disk. Producer or consumer share the cores with the broker."
    return Found("What the embedded broker carries", rows, note)
