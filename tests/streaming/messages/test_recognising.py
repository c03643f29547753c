"""A stream that declares no format has each message read by what its first bytes show."""

import io
import json
import struct

import fastavro
import polars as pl
import pyarrow as pa
from streamed import arrow

from lastmile.contracts import Limits
from lastmile.store import Store
from lastmile.streaming.messages.arrow import ArrowEnvelopes
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.codecs import Bounded, Recognising
from lastmile.streaming.messages.framed import Framed
from lastmile.streaming.messages.json_lines import JsonLines
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.schema import Schema

SCHEMA = {"type": "record", "name": "E", "fields": [{"name": "id", "type": "long"}]}


def envelope(*numbers: int) -> bytes:
    return arrow(pa.table({"id": pa.array(numbers, pa.int64())}))


def avro(number: int) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(SCHEMA), {"id": number})
    return b"\0" + struct.pack(">I", 1) + file.getvalue()


def codec(store: Store) -> Recognising:
    registry = FileRegistry(store)
    registry.register("e", Schema("AVRO", json.dumps(SCHEMA)))
    types = {"id": pl.Int64()}
    return Recognising(JsonLines(types), ArrowEnvelopes(), Framed(lambda: registry, types))


def test_json_avro_and_envelopes_may_be_mixed(store: Store) -> None:
    values: list[bytes | None] = [b'{"id": 0}', envelope(1, 2), avro(3), None, b"nonsense", b"", avro(4), b' {"id": 5}']
    decoded = codec(store).decode(Messages(values, [0] * 8, range(8), [-1] * 8))
    assert decoded.frame.select("_offset", "_index", pl.col("id").cast(pl.Int64)).rows() == [
        (0, 0, 0),
        (1, 0, 1),
        (1, 1, 2),
        (2, 0, 3),
        (6, 0, 4),
        (7, 0, 5),
    ]
    assert decoded.poison["_offset"].to_list() == [3, 4, 5]


def test_a_message_longer_than_an_event_may_be_is_poison_unless_it_is_an_envelope(store: Store) -> None:
    long = b'{"id": 1, "text": "%s"}' % (b"x" * 5_000_000)
    many = envelope(*range(600_000))
    assert len(many) > 4_000_000
    bounded = Bounded(codec(store), Limits())
    decoded = bounded.decode(Messages([b'{"id": 7}', long, many], [0] * 3, range(3), [-1] * 3))
    assert decoded.frame.height == 600_001
    ((offset, reason),) = decoded.poison.select("_offset", "reason").rows()
    assert (offset, "at most 4,000,000 bytes, found 5,000,021" in reason) == (1, True)
    alone = bounded.decode(Messages([long], [0], [0], [-1]))
    assert (alone.frame.height, alone.poison.height) == (0, 1)


def test_no_messages_are_no_events(store: Store) -> None:
    decoded = codec(store).decode(Messages([], [], [], []))
    assert decoded.frame.is_empty()
    assert decoded.poison.is_empty()


def test_only_poison_is_no_events(store: Store) -> None:
    decoded = codec(store).decode(Messages([avro(1)[:5], b"\0"], [0, 0], [0, 1], [-1, -1]))
    assert decoded.frame.is_empty()
    assert decoded.poison.height == 2
