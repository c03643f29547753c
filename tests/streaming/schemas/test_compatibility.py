"""What is said to be read is read: held against the libraries that read it."""

import io
import json
from typing import Any

import fastavro
import jsonschema
import pytest
from fastavro.utils import generate_many
from hypothesis import given, settings
from hypothesis import strategies as st
from streaming.orders_proto import add, message_class, orders

from lastmile.streaming.schemas.compatibility import avro, json_schema, protobuf

PRIMITIVES = ("int", "long", "float", "double", "string", "bytes", "boolean")
NAMES = ("a", "b", "c")


def avro_type(name: str) -> st.SearchStrategy[Any]:
    simple = st.sampled_from(PRIMITIVES)
    enum = st.lists(st.sampled_from("XYZ"), min_size=1, unique=True).map(
        lambda symbols: {"type": "enum", "name": f"E{name}", "symbols": symbols}
    )
    optional = simple.map(lambda one: ["null", one])
    # fastavro reads bytes as a text where a reader has both, whatever they are.
    without_bytes = st.sampled_from([one for one in PRIMITIVES if one != "bytes"])
    several = st.lists(without_bytes, min_size=2, max_size=3, unique=True)
    many = simple.map(lambda one: {"type": "array", "items": one})
    inside = simple.map(lambda one: {"type": "record", "name": f"R{name}", "fields": [{"name": "x", "type": one}]})
    return st.one_of(simple, enum, optional, several, many, inside)


@st.composite
def avro_record(draw: Any, plain: bool = False) -> dict[str, Any]:
    fields = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        field = {"name": name, "type": draw(st.sampled_from(PRIMITIVES) if plain else avro_type(name))}
        if isinstance(field["type"], list) and field["type"][0] == "null" and draw(st.booleans()):
            field["default"] = None
        if field["type"] == "int" and draw(st.booleans()):
            field["default"] = 1
        fields.append(field)
    return {"type": "record", "name": "Event", "fields": fields}


@st.composite
def avro_versions(draw: Any, plain: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two records of which one is the other with some fields added, removed, or of other types."""
    first, other = draw(avro_record(plain)), draw(avro_record(plain))
    changed = {field["name"]: field for field in other["fields"]}
    names = draw(st.sets(st.sampled_from(NAMES), max_size=2))
    kept = [field for field in first["fields"] if field["name"] not in names]
    second = {**first, "fields": [*kept, *(changed[name] for name in sorted(names) if name in changed)]}
    return (first, second) if draw(st.booleans()) else (second, first)


def is_read(reader: dict[str, Any], writer: dict[str, Any], event: Any) -> bool:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(writer), event)
    file.seek(0)
    try:
        fastavro.schemaless_reader(file, fastavro.parse_schema(writer), fastavro.parse_schema(reader))
    except Exception:
        return False
    return True


@given(avro_versions())
@settings(max_examples=100)
def test_avro_said_to_be_read_is_read(versions: tuple[dict[str, Any], dict[str, Any]]) -> None:
    reader, writer = versions
    if avro.unread(reader, writer, {}, {}):
        return
    events = list(generate_many(fastavro.parse_schema(writer), 5))
    assert all(is_read(reader, writer, event) for event in events)


@given(avro_versions(plain=True))
@settings(max_examples=100)
def test_avro_said_not_to_be_read_is_not_where_all_values_are_of_one_type(
    versions: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    reader, writer = versions
    read = [is_read(reader, writer, event) for event in generate_many(fastavro.parse_schema(writer), 5)]
    assert any(read) is not bool(avro.unread(reader, writer, {}, {}))


@given(avro_record())
def test_avro_reads_itself(schema: dict[str, Any]) -> None:
    assert avro.unread(schema, schema, {}, {}) == []


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Event", "fields": list(fields)}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, {"type": "long", "logicalType": "timestamp-micros"},
         "field at is timestamp-millis, expected timestamp-micros"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
         {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3},
         "field at is decimal of 2 digits behind the point, expected decimal of 3 digits behind the point"),
        ("string", "int", "field at is string, expected int"),
        (["null", "int"], "int", "field at is null, expected int"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, {"type": "enum", "name": "E", "symbols": ["A"]},
         "field at may be B, which is not known"),
        ({"type": "array", "items": "string"}, {"type": "array", "items": "int"}, "field at[] is string, expected int"),
    ],
)  # fmt: skip
def test_what_avro_does_not_read_is_said_in_words(before: Any, after: Any, said: str) -> None:
    assert avro.unread(record({"name": "at", "type": after}), record({"name": "at", "type": before}), {}, {}) == [said]


def test_a_field_may_be_read_by_its_old_name() -> None:
    renamed = record({"name": "id", "aliases": ["old_id"], "type": "long"})
    assert avro.unread(renamed, record({"name": "old_id", "type": "int"}), {}, {}) == []


def test_a_record_inside_itself_is_compared_once() -> None:
    def tree(value: str) -> dict[str, Any]:
        return record({"name": "value", "type": value}, {"name": "next", "type": ["null", "Event"], "default": None})

    assert avro.unread(tree("long"), tree("int"), {}, {}) == []
    assert avro.unread(tree("int"), tree("long"), {}, {}) == ["field value is long, expected int"]


VALUES = st.sampled_from([None, 0, 1, 5, -3, 1.5, "x", "xyz", True, [1], ["x"]])
TYPE = st.one_of(
    st.sampled_from(["integer", "number", "string", "boolean"]),
    st.lists(st.sampled_from(["integer", "number", "string", "null"]), min_size=1, max_size=2, unique=True),
)


@st.composite
def json_property(draw: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": draw(TYPE)}
    if draw(st.booleans()):
        name = draw(st.sampled_from(["minimum", "maximum", "minLength", "maxLength", "exclusiveMinimum"]))
        schema[name] = draw(st.integers(0, 5))
    if draw(st.integers(0, 4)) == 0:
        schema["enum"] = draw(st.lists(st.sampled_from([None, 0, 1, 5, "x", 1.5]), min_size=1, unique=True))
    if draw(st.integers(0, 4)) == 0:
        return {"anyOf": [schema, {"type": "null"}]}
    if draw(st.integers(0, 4)) == 0:
        return {"type": "array", "items": schema}
    return schema


@st.composite
def json_object(draw: Any) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    schema: dict[str, Any] = {"type": "object", "properties": {name: draw(json_property()) for name in names}}
    if draw(st.booleans()):
        schema["required"] = draw(st.lists(st.sampled_from(NAMES), unique=True))
    others = draw(st.sampled_from([None, False, True, {"type": "integer"}]))
    return schema if others is None else {**schema, "additionalProperties": others}


@st.composite
def json_versions(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two objects of which one is the other with a property changed, or other properties allowed or required."""
    first, other = draw(json_object()), draw(json_object())
    changed = draw(st.sets(st.sampled_from(sorted(other))))
    second = {**first, **{name: other[name] for name in sorted(changed)}}
    if "properties" in second and draw(st.booleans()):
        name = draw(st.sampled_from(NAMES))
        second["properties"] = {**first["properties"], name: draw(json_property())}
    return (first, second) if draw(st.booleans()) else (second, first)


@given(json_versions(), st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES), max_size=60))
@settings(max_examples=100)
def test_json_said_to_be_allowed_is_allowed(versions: tuple[Any, Any], events: list[dict[str, Any]]) -> None:
    reader, writer = versions
    if json_schema.unread(reader, writer):
        return
    written = jsonschema.Draft7Validator(writer)
    read = jsonschema.Draft7Validator(reader)
    assert all(read.is_valid(event) for event in events if written.is_valid(event))


@given(json_object())
def test_json_allows_itself(schema: Any) -> None:
    assert json_schema.unread(schema, json.loads(json.dumps(schema))) == []


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (closed(a={"type": "integer"}), closed(), "property a is not allowed"),
        (closed(a={"type": "integer"}), closed(a={"type": "string"}), "property a may be integer, expected string"),
        (closed(a={"type": "integer", "minimum": 0}), closed(a={"type": "integer", "minimum": 1}),
         "property a has minimum 1, and had 0"),
        (closed(), {**closed(a={"type": "integer"}), "required": ["a"]}, "property a is required, and may be absent"),
        (closed(a={"enum": ["x", "y"]}), closed(a={"enum": ["x"]}), "property a may be y, which is not allowed"),
        (closed(a={"type": "string"}), closed(a={"type": "string", "pattern": "^x"}),
         "property a has pattern '^x', and had 'none'"),
    ],
)  # fmt: skip
def test_what_json_does_not_allow_is_said_in_words(before: Any, after: Any, said: str) -> None:
    assert json_schema.unread(after, before) == [said]


def test_an_optional_property_may_be_added_to_a_closed_object() -> None:
    after = closed(a={"type": "integer"}, b={"anyOf": [{"type": "string"}, {"type": "null"}]})
    assert json_schema.unread(after, closed(a={"type": "integer"})) == []


def test_protobuf_fields_are_compared_by_their_numbers() -> None:
    added = orders()
    add(added.message_type[1], 20, "added", "string")
    assert protobuf.unread(added, orders()) == protobuf.unread(orders(), added) == []
    changed = orders()
    changed.message_type[1].field[0].type = 9
    assert protobuf.unread(changed, orders()) == ["Order.id is int64, expected string"]
    renamed = orders()
    renamed.message_type[1].field[0].name = "number"
    assert protobuf.unread(renamed, orders()) == [
        "Order.number is number 1, which is id: give a new field a new number"
    ]
    single = orders()
    single.message_type[1].field[5].label = 1
    assert protobuf.unread(single, orders()) == ["Order.tags is repeated, expected one value"]
    without = orders()
    del without.message_type[1]
    assert protobuf.unread(without, orders()) == ["message Order is not known"]


def test_protobuf_that_is_read_gives_the_same_values() -> None:
    wider = orders()
    wider.message_type[1].field[7].type = 5  # bool to int32
    assert protobuf.unread(wider, orders()) == []
    written = message_class(orders(), "shop.Order")(id=7, is_gift=True).SerializeToString()
    assert message_class(wider, "shop.Order").FromString(written).is_gift == 1


def test_a_message_has_its_place_among_the_others() -> None:
    turned = orders()
    first, second = turned.message_type[0], turned.message_type[1]
    first_copy, second_copy = type(first)(), type(second)()
    first_copy.CopyFrom(first)
    second_copy.CopyFrom(second)
    first.CopyFrom(second_copy)
    second.CopyFrom(first_copy)
    assert any("another place" in said for said in protobuf.unread(turned, orders()))
