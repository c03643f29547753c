"""Envelopes as Debezium's connectors write them, with and without schemas, in JSON and in Avro."""

import base64
import io
import json
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from lastmile.store import Store
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.debezium import Debezium
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.schema import Schema

SOURCE = {
    "version": "2.7.0.Final",
    "connector": "postgresql",
    "name": "shop",
    "ts_ms": 1717156800000,
    "snapshot": "false",
    "db": "shop",
    "schema": "public",
    "table": "orders",
    "txId": 771,
    "lsn": 24023128,
    "xmin": None,
    "sequence": '["24023000","24023128"]',
}
AT = datetime(2024, 5, 31, 12, tzinfo=UTC)
MICROS = 1717156800123456
ROW = {
    "id": 1,
    "price": base64.b64encode((-12345).to_bytes(2, "big", signed=True)).decode(),
    "day": 19874,
    "at": MICROS,
    "opens": 43_200_000_000,
    "zoned": "2024-05-31T12:00:00Z",
    "photo": base64.b64encode(b"\0a").decode(),
    "any": {"scale": 3, "value": base64.b64encode(b"\x01").decode()},
    "note": None,
}
MEANT = {
    "id": 1,
    "price": Decimal("-123.45"),
    "day": date(2024, 5, 31),
    "opens": time(12),
    "at": datetime(2024, 5, 31, 12, 0, 0, 123456, tzinfo=UTC),
    "zoned": "2024-05-31T12:00:00Z",
    "photo": b"\0a",
    "any": Decimal("0.001"),
    "note": None,
}


def columns() -> list[dict[str, Any]]:
    decimal = {"name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}
    return [
        {"type": "int32", "optional": False, "field": "id"},
        {"type": "bytes", "optional": True, "field": "price", **decimal},
        {"type": "int32", "optional": True, "field": "day", "name": "io.debezium.time.Date"},
        {"type": "int64", "optional": True, "field": "at", "name": "io.debezium.time.MicroTimestamp"},
        {"type": "int64", "optional": True, "field": "opens", "name": "io.debezium.time.MicroTime"},
        {"type": "string", "optional": True, "field": "zoned", "name": "io.debezium.time.ZonedTimestamp"},
        {"type": "bytes", "optional": True, "field": "photo"},
        {"type": "struct", "optional": True, "field": "any", "name": "io.debezium.data.VariableScaleDecimal"},
        {"type": "string", "optional": True, "field": "note"},
    ]


def envelope(op: str, before: Any, after: Any, with_schema: bool = False, **more: Any) -> bytes:
    payload = {"before": before, "after": after, "source": SOURCE, "op": op, "ts_ms": 1717156800500, **more}
    if not with_schema:
        return json.dumps(payload).encode()
    rows = [{"type": "struct", "field": name, "fields": columns()} for name in ("before", "after")]
    return json.dumps({"schema": {"type": "struct", "fields": rows}, "payload": payload}).encode()


def messages(*pairs: tuple[bytes | None, bytes | None]) -> Messages:
    keys, values = [key for key, _ in pairs], [value for _, value in pairs]
    return Messages(values, [2] * len(pairs), range(10, 10 + len(pairs)), [-1] * len(pairs), keys)


@pytest.fixture
def debezium(store: Store) -> Debezium:
    return Debezium(lambda: FileRegistry(store))


def test_each_kind_of_change_is_read_with_where_it_came_from(debezium: Debezium) -> None:
    key = b'{"id": 1}'
    read = debezium.changes(
        messages(
            (key, envelope("r", None, {"id": 1, "n": 0})),
            (key, envelope("c", None, {"id": 1, "n": 1})),
            (key, envelope("u", {"id": 1, "n": 1}, {"id": 1, "n": 2})),
            (key, envelope("d", {"id": 1, "n": 2}, None)),
            (key, None),
            (None, envelope("t", None, None)),
            (None, envelope("m", None, None)),
        )
    )
    assert read.poison.is_empty()
    assert [(one.op, one.before, one.after) for one in read.found] == [
        ("r", None, {"id": 1, "n": 0}),
        ("c", None, {"id": 1, "n": 1}),
        ("u", {"id": 1, "n": 1}, {"id": 1, "n": 2}),
        ("d", {"id": 1, "n": 2}, None),
        ("t", None, None),
    ]
    last = read.found[3]
    assert (last.table, last.key, last.lsn, last.at, last.transaction) == (
        *("public.orders", {"id": 1}, 24023128, AT, "771"),
    )
    assert last.place == (2, 13)


def test_values_become_what_their_schema_says_they_stand_for(debezium: Debezium) -> None:
    (change,) = debezium.changes(messages((None, envelope("c", None, ROW, with_schema=True)))).found
    assert change.after == MEANT


def test_a_decimal_of_many_digits_keeps_them_all(debezium: Debezium) -> None:
    number = 12345678901234567890123456789012345678
    row = {**ROW, "price": base64.b64encode(number.to_bytes(17, "big", signed=True)).decode()}
    (change,) = debezium.changes(messages((None, envelope("c", None, row, with_schema=True)))).found
    assert change.after is not None
    assert change.after["price"] == Decimal("123456789012345678901234567890123456.78")


def test_without_a_schema_values_stay_as_they_are(debezium: Debezium) -> None:
    (change,) = debezium.changes(messages((None, envelope("c", None, ROW)))).found
    assert change.after == ROW


def test_a_column_that_was_not_sent_is_named(debezium: Debezium) -> None:
    row = {"id": 1, "text": "__debezium_unavailable_value"}
    (change,) = debezium.changes(messages((None, envelope("u", None, row)))).found
    assert (change.after, change.unsent) == ({"id": 1}, {"text"})


def test_avro_envelopes_are_read_by_their_schema(store: Store, debezium: Debezium) -> None:
    decimal = {"type": "bytes", "scale": 2, "precision": 10, "connect.name": "org.apache.kafka.connect.data.Decimal"}
    value = {
        "type": "record",
        "name": "Value",
        "fields": [
            {"name": "id", "type": "int"},
            {"name": "price", "type": ["null", {**decimal, "logicalType": "decimal"}], "default": None},
            {"name": "day", "type": {"type": "int", "connect.name": "io.debezium.time.Date"}},
            {"name": "at", "type": ["null", {"type": "long", "connect.name": "io.debezium.time.Timestamp"}]},
        ],
    }
    source = {
        "type": "record",
        "name": "Source",
        "fields": [{"name": "lsn", "type": ["null", "long"]}, {"name": "table", "type": "string"}],
    }
    schema = {
        "type": "record",
        "name": "Envelope",
        "namespace": "shop.public.orders",
        "fields": [
            {"name": "before", "type": ["null", value], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": source},
            {"name": "op", "type": "string"},
        ],
    }
    key_schema = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "int"}]}
    registry = FileRegistry(store)

    def written(subject: str, said: Any, content: Any) -> bytes:
        number = registry.register(subject, Schema("AVRO", json.dumps(said))).id
        file = io.BytesIO()
        fastavro.schemaless_writer(file, fastavro.parse_schema(json.loads(json.dumps(said))), content)
        return b"\0" + struct.pack(">I", number) + file.getvalue()

    row = {"id": 1, "price": Decimal("9.50"), "day": 19874, "at": 1717156800000}
    content = {"before": None, "after": row, "source": {"lsn": 7, "table": "orders"}, "op": "c"}
    read = debezium.changes(messages((written("k", key_schema, {"id": 1}), written("v", schema, content))))
    (change,) = read.found
    assert change.after == {"id": 1, "price": Decimal("9.50"), "day": date(2024, 5, 31), "at": AT}
    assert (change.key, change.lsn, change.table) == ({"id": 1}, 7, "orders")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b"{", "unexpected end"),
        (b"[]", "an object"),
        (b'{"id": 1}', "op is None"),
        (envelope("x", None, None), "op is 'x'"),
        (envelope("u", None, None), "after is empty"),
        (envelope("c", None, [1]), "rows as objects"),
        (b"\0\0\0\0\x63rest", "no schema of number 99"),
        (envelope("c", None, {**ROW, "price": "not base64!"}, with_schema=True), "base64"),
        (envelope("c", None, {**ROW, "day": 10**12}, with_schema=True), "too large"),
        (b"\xff" * 5_000_000, "expected Debezium's envelope"),
    ],
)  # fmt: skip
def test_what_is_none_is_poison_with_its_reason_and_the_others_go_on(
    debezium: Debezium, value: Any, reason: str
) -> None:
    good = envelope("c", None, {"id": 1})
    read = debezium.changes(messages((None, good), (None, value), (None, good)))
    assert len(read.found) == 2
    ((offset, said),) = read.poison.select("_offset", "reason").rows()
    assert offset == 11
    assert reason in said
