"""Whatever the format of its messages, the events of a stream end in the same windows."""

import io
import json
import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import fastavro
import polars as pl
import pytest
from streamed import SALES, Shop, arrow, expected, sale
from streaming.orders_proto import message_class

from lastmile.streaming.schemas.contracts import schema_of
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.resolving import protobuf_files
from lastmile.streaming.schemas.schema import Kind, document

Event = dict[str, Any]
EVENTS = [sale(number, number / 4, note="x" if number % 3 else None) for number in range(400)]


def typed(event: Event) -> Event:
    return {**event, "at": datetime.fromisoformat(event["at"])}


def framed(registry: FileRegistry, kind: Kind, write: Callable[[Event], bytes]) -> list[bytes]:
    """In the contract's own schema, as a producer that has it from the registry writes."""
    number = registry.register(f"sales-{kind}", schema_of(SALES, kind)).id
    return [b"\0" + struct.pack(">I", number) + write(event) for event in EVENTS]


def as_json(_: FileRegistry) -> list[bytes]:
    return [json.dumps(event).encode() for event in EVENTS]


def as_framed_json(registry: FileRegistry) -> list[bytes]:
    return framed(registry, "JSON", lambda event: json.dumps(event).encode())


def as_avro(registry: FileRegistry) -> list[bytes]:
    parsed = fastavro.parse_schema(document(schema_of(SALES, "AVRO")))

    def write(event: Event) -> bytes:
        file = io.BytesIO()
        fastavro.schemaless_writer(file, parsed, typed(event))
        return file.getvalue()

    return framed(registry, "AVRO", write)


def as_protobuf(registry: FileRegistry) -> list[bytes]:
    made = message_class(protobuf_files(registry, schema_of(SALES, "PROTOBUF"))[-1], "lastmile.sales")

    def write(event: Event) -> bytes:
        at = typed(event)["at"]
        one = made(**{name: value for name, value in event.items() if value is not None and name != "at"})
        one.at.FromDatetime(at)
        return b"\0" + one.SerializeToString()

    return framed(registry, "PROTOBUF", write)


def as_envelopes(_: FileRegistry) -> list[bytes]:
    written = []
    for start in range(0, len(EVENTS), 50):
        table = pl.DataFrame([typed(event) for event in EVENTS[start : start + 50]]).to_arrow()
        written.append(arrow(table))
    return written


FORMATS = {"json": as_json, "framed": as_framed_json, "avro": as_avro, "protobuf": as_protobuf, "arrow": as_envelopes}


def windows(shop: Shop) -> list[Event]:
    return [{name: value for name, value in row.items() if name != "is_final"} for row in shop.windows()]


@pytest.mark.parametrize("name", FORMATS)
def test_events_of_each_format_are_counted_alike(shop: Shop, name: str) -> None:
    shop.send(*FORMATS[name](FileRegistry(shop.store)))
    assert shop.read(format="auto" if name == "framed" else name) == len(EVENTS)
    assert windows(shop) == expected(EVENTS)
    assert shop.quarantined() == []


def test_formats_may_change_within_a_topic(shop: Shop) -> None:
    registry = FileRegistry(shop.store)
    made: list[Sequence[bytes]] = [write(registry) for name, write in FORMATS.items() if name != "arrow"]
    shop.send(
        *(made[number % len(made)][number] for number in range(len(EVENTS))), b"\0\0\0\0\x63of no schema", b"no JSON"
    )
    assert shop.read(format="auto") == len(EVENTS)
    assert windows(shop) == expected(EVENTS)
    assert [row["offset"] for row in shop.quarantined()] == [400, 401]
