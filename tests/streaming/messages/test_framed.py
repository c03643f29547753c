"""Messages are read by the schema that they name; what is none costs itself, not the others."""

import io
import json
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import polars as pl
import pytest
from fastavro.utils import generate_many
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming.orders_proto import add, message_class, orders

from lastmile.errors import Unreachable
from lastmile.store import Store
from lastmile.streaming.messages.avro import AvroReader
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.framed import Framed
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.schema import Reference, Schema

EVENT = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "page", "type": "string"},
        {"name": "price", "type": ["null", "double"], "default": None},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["view", "click"]}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}
AT = datetime(2024, 5, 31, 12, 0, 0, 123456, tzinfo=UTC)


def event(number: int) -> dict[str, Any]:
    price = None if number % 3 else number / 7
    return {
        "id": number,
        "page": f"/p{number % 7}",
        "price": price,
        "at": AT,
        "day": date(2024, 5, 31),
        "kind": "view" if number % 2 else "click",
        "amount": Decimal(number).scaleb(-2),
    }


def body(schema: Any, value: Any) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), value)
    return file.getvalue()


def framed(number: int, content: bytes) -> bytes:
    return b"\0" + struct.pack(">I", number) + content


def messages(values: list[bytes | None]) -> Messages:
    return Messages(values, [0] * len(values), range(100, 100 + len(values)), [1_700_000_000_000] * len(values))


@pytest.fixture
def registry(store: Store) -> FileRegistry:
    return FileRegistry(store)


@pytest.fixture
def codec(registry: FileRegistry) -> Framed:
    return Framed(lambda: registry, {"id": pl.Int64()})


def register(registry: FileRegistry, schema: Any, subject: str = "events-value") -> int:
    return registry.register(subject, Schema("AVRO", json.dumps(schema))).id


def reasons(decoded: Decoded) -> dict[int, str]:
    return dict(decoded.poison.select("_offset", "reason").iter_rows())


@pytest.mark.parametrize("count", [1, 5, 2000])
def test_avro_events_come_typed_and_in_order(registry: FileRegistry, codec: Framed, count: int) -> None:
    number = register(registry, EVENT)
    decoded = codec.decode(messages([framed(number, body(EVENT, event(one))) for one in range(count)]))
    assert decoded.frame["_offset"].to_list() == list(range(100, 100 + count))
    assert decoded.frame.select(*event(0)).rows(named=True) == [event(one) for one in range(count)]
    assert decoded.poison.is_empty()


def test_each_message_that_is_none_goes_with_its_reason_and_the_others_are_read(
    registry: FileRegistry, codec: Framed
) -> None:
    number = register(registry, EVENT)
    good = [framed(number, body(EVENT, event(one))) for one in range(3000)]
    bad: dict[int, bytes | None] = {
        0: None,
        7: b"",
        50: good[50][:-3],
        51: good[51] + b"more",
        900: b'{"id": 1}',
        1500: framed(99, b"x"),
        2000: framed(number, b"\xff" * 20),
        2500: framed(number, b"x" * 5_000_000),
        2999: b"\0\0\0",
    }
    decoded = codec.decode(messages([bad.get(one, value) for one, value in enumerate(good)]))
    said = {offset - 100: reason for offset, reason in reasons(decoded).items()}
    assert set(said) == set(bad)
    assert "no value" in said[0]
    assert "found 7b22696422" in said[900]
    assert "number 99, is not read: the registry has no schema" in said[1500]
    assert "4 bytes are left" in said[51]
    kept = [event(one) for one in range(3000) if one not in bad]
    assert decoded.frame.select(*event(0)).rows(named=True) == kept
    raw = dict(decoded.poison.select("_offset", "raw").iter_rows())
    assert raw[100 + 51] == good[51] + b"more"


CHANGED = ["change", "insert", "cut"]


@given(
    st.lists(
        st.tuples(st.sampled_from(CHANGED), st.integers(0, 39), st.integers(0, 40), st.integers(0, 255)), max_size=8
    )
)
@settings(max_examples=60)
def test_changed_bytes_cost_what_reading_one_by_one_says(changes: list[tuple[str, int, int, int]]) -> None:
    listed = {"name": "tags", "type": {"type": "array", "items": "string"}}
    schema = {**EVENT, "fields": [*EVENT["fields"], listed, {"name": "last", "type": ["null", "boolean"]}]}
    more = {"tags": ["a", "bb"], "last": True}
    reader, bodies = AvroReader(schema, {}), [body(schema, {**event(one), **more}) for one in range(40)]
    for how, one, place, byte in changes:
        changed = bytearray(bodies[one])
        at = place % (len(changed) + 1)
        changed[at : at + (how == "change")] = b"" if how == "cut" else bytes([byte])
        bodies[one] = bytes(changed[:at] if how == "cut" else changed)
    together: tuple[list[pl.DataFrame], list[tuple[int, str]]] = ([], [])
    alone: tuple[list[pl.DataFrame], list[tuple[int, str]]] = ([], [])
    reader.read(bodies, 0, *together)
    for number, one in enumerate(bodies):
        reader.read([one], number, *alone)
    assert sorted(number for number, _ in together[1]) == sorted(number for number, _ in alone[1])
    found, expected = (
        pl.concat([_as_text(frame) for frame in frames]).sort("_number") for frames in (together[0], alone[0])
    )
    assert found.equals(expected)


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as their JSON, as they are where messages are read one by one."""
    if frame["tags"].dtype == pl.String:
        return frame
    texts = [json.dumps(tags, separators=(",", ":"), ensure_ascii=False) for tags in frame["tags"].to_list()]
    return frame.with_columns(pl.Series("tags", texts))


def test_every_simple_type_is_read_as_one_by_one() -> None:
    fields = [
        *((kind, kind) for kind in ("int", "long", "float", "double", "boolean", "string", "bytes")),
        ("enum", {"type": "enum", "name": "E", "symbols": ["A", "B"]}),
        ("fixed", {"type": "fixed", "name": "F", "size": 3}),
        ("date", {"type": "int", "logicalType": "date"}),
        ("time_millis", {"type": "int", "logicalType": "time-millis"}),
        ("time_micros", {"type": "long", "logicalType": "time-micros"}),
        ("millis", {"type": "long", "logicalType": "timestamp-millis"}),
        ("local", {"type": "long", "logicalType": "local-timestamp-micros"}),
        ("uuid", {"type": "string", "logicalType": "uuid"}),
        ("decimal", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 4}),
        ("optional", ["string", "null"]),
        ("optional_list", ["null", {"type": "array", "items": "long"}]),
    ]
    schema = {"type": "record", "name": "All", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    reader = AvroReader(schema, {})
    assert reader._columns is not None
    bodies = [body(schema, one) for one in generate_many(fastavro.parse_schema(schema), 200)]
    found: list[pl.DataFrame] = []
    reader.read(bodies, 0, found, [])
    for row in found[0].iter_rows(named=True):
        assert reader.one(bodies[row.pop("_number")]) == row


@pytest.mark.parametrize("length", [b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x10"])
def test_a_length_beyond_the_message_is_poison_and_takes_no_memory(length: bytes) -> None:
    schema = {"type": "record", "name": "E", "fields": [{"name": "text", "type": "string"}]}
    found: list[pl.DataFrame] = []
    bad: list[tuple[int, str]] = []
    AvroReader(schema, {}).read([body(schema, {"text": "a"})] * 50 + [length + b"abc"], 0, found, bad)
    assert [number for number, _ in bad] == [50]
    assert sum(frame.height for frame in found) == 50


def test_messages_of_several_schemas_come_together_in_order(registry: FileRegistry, codec: Framed) -> None:
    wider = {**EVENT, "fields": [*EVENT["fields"], {"name": "new", "type": ["null", "string"], "default": None}]}
    old, new = register(registry, EVENT), register(registry, wider)
    values = [
        framed(new, body(wider, {**event(one), "new": "n"})) if one % 2 else framed(old, body(EVENT, event(one)))
        for one in range(200)
    ]
    decoded = codec.decode(messages(values))
    assert decoded.frame["id"].to_list() == list(range(200))
    assert decoded.frame["new"].to_list() == [None, "n"] * 100


def test_schemas_in_which_a_column_has_other_types_come_together_as_text(registry: FileRegistry, codec: Framed) -> None:
    schemas = [
        {"type": "record", "name": "E", "fields": [{"name": "id", "type": kind}, {"name": "n", "type": "int"}]}
        for kind in ("long", "string")
    ]
    registry.set_level("NONE")
    numbers = [register(registry, schema) for schema in schemas]
    values = [
        framed(numbers[one % 2], body(schemas[one % 2], {"id": str(one) if one % 2 else one, "n": one}))
        for one in range(120)
    ]
    decoded = codec.decode(messages(values))
    assert decoded.frame["id"].to_list() == [str(one) for one in range(120)]
    assert decoded.frame["_offset"].to_list() == list(range(100, 220))


def test_a_schema_of_unusual_types_is_read_one_by_one(registry: FileRegistry, codec: Framed) -> None:
    schema = {
        "type": "record",
        "name": "Odd",
        "fields": [
            {"name": "id", "type": "int"},
            {"name": "either", "type": ["null", "int", "string"]},
            {"name": "by_name", "type": {"type": "map", "values": "int"}},
        ],
    }
    number = register(registry, schema)
    values = [framed(number, body(schema, {"id": one, "either": "x", "by_name": {"a": 1}})) for one in range(100)]
    decoded = codec.decode(messages(values))
    assert decoded.frame.select("id", "either", "by_name").row(99) == (99, "x", '{"a":1}')


def test_a_schema_may_refer_to_others(registry: FileRegistry, codec: Framed) -> None:
    money = {"type": "record", "name": "Money", "fields": [{"name": "cents", "type": "long"}]}
    register(registry, money, "money")
    order = {"type": "record", "name": "Order", "fields": [{"name": "price", "type": "Money"}]}
    number = registry.register("o", Schema("AVRO", json.dumps(order), (Reference("Money", "money", 1),))).id
    whole = {**order, "fields": [{"name": "price", "type": money}]}
    decoded = codec.decode(messages([framed(number, body(whole, {"price": {"cents": 5}}))]))
    assert decoded.frame["price"].to_list() == ['{"cents":5}']


def test_json_in_a_frame_is_read_as_json(registry: FileRegistry, codec: Framed) -> None:
    number = registry.register("j", Schema("JSON", '{"type": "object"}')).id
    values = [framed(number, b'{"id": %d}' % one) for one in range(100)] + [framed(number, b"{")]
    decoded = codec.decode(messages(values))
    assert decoded.frame["id"].cast(pl.Int64).to_list() == list(range(100))
    assert list(reasons(decoded)) == [200]


def test_protobuf_messages_become_columns(registry: FileRegistry, codec: Framed) -> None:
    import base64

    file = orders()
    text = base64.standard_b64encode(file.SerializeToString()).decode()
    number = registry.register("p", Schema("PROTOBUF", text)).id
    order = message_class(file, "shop.Order")
    full = order(id=7, note="", price=1.5, state=1, tags=["a", "b"], is_gift=True)
    full.at.FromDatetime(datetime(2024, 5, 31, 12, tzinfo=UTC))
    full.first_line.article = "x"
    path = bytes([2, 2])  # one index: the second message of the file
    values = [framed(number, path + full.SerializeToString()), framed(number, path + order().SerializeToString())]
    values += [framed(number, path + b"\xff\xff"), framed(number, bytes([2, 8])), framed(number, b"")]
    decoded = codec.decode(messages(values))
    columns = ["id", "note", "price", "state", "at", "tags", "first_line", "is_gift"]
    moment = datetime(2024, 5, 31, 12, tzinfo=UTC)
    assert decoded.frame.select(columns).rows() == [
        (7, "", 1.5, "PAID", moment, '["a","b"]', '{"article":"x"}', True),
        (0, None, 0.0, "NEW", None, "[]", None, False),
    ]
    assert list(reasons(decoded)) == [102, 103, 104]


def test_a_field_that_a_newer_producer_added_does_no_harm(registry: FileRegistry, codec: Framed) -> None:
    import base64

    old, new = orders(), orders()
    add(new.message_type[1], 20, "added", "string")
    number = registry.register("p", Schema("PROTOBUF", base64.standard_b64encode(old.SerializeToString()).decode())).id
    written = message_class(new, "shop.Order")(id=7, added="x").SerializeToString()
    decoded = codec.decode(messages([framed(number, bytes([2, 2]) + written)]))
    assert decoded.frame["id"].to_list() == [7]


def test_a_registry_that_is_away_makes_no_poison(registry: FileRegistry) -> None:
    class Away(FileRegistry):
        away = 2

        def by_id(self, number: int) -> Schema:
            if self.away:
                self.away -= 1
                raise Unreachable("the schema registry cannot be reached")
            return super().by_id(number)

    number, there = register(registry, EVENT), Away(registry._store)
    value = framed(number, body(EVENT, event(1)))
    assert Framed(lambda: there, {}, patience=20).decode(messages([value])).frame["id"].to_list() == [1]
    there.away = 100
    with pytest.raises(Unreachable, match="cannot be reached"):
        Framed(lambda: there, {}, patience=0.5).decode(messages([value]))


def test_a_schema_registered_later_is_found(registry: FileRegistry, codec: Framed) -> None:
    value = framed(1, body(EVENT, event(1)))
    assert len(codec.decode(messages([value])).poison) == 1
    register(registry, EVENT)
    for _ in range(200):
        decoded = codec.decode(messages([value]))
    assert decoded.frame["id"].to_list() == [1]
