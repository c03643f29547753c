"""A contract's schema promises what is read, and a change that is not is refused before it goes live."""

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import jsonschema
import pandera.polars as pa
import pytest
from streaming.orders_proto import message_class

from lastmile.contracts import Contract, Partition, Policy, field
from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.streaming import Stream
from lastmile.streaming.schemas.contracts import schema_of
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.publication import Published, expect_live, judge, publish
from lastmile.streaming.schemas.resolving import protobuf_files
from lastmile.streaming.schemas.schema import Schema, document

AT = datetime(2024, 5, 31, 12, tzinfo=UTC)


#: Columns with their types, and what else is said of them.
COLUMNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "at": (datetime, {}),
    "page": (str, {"str_matches": "^/", "aliases": ("path", "not a name")}),
    "seconds": (float | None, {"unit": "s", "ge": 0}),
    "clicks": (int, {"ge": 0, "le": 100}),
    "device": (str | None, {"isin": ["phone", "desk"]}),
    "day": (date | None, {}),
    "paid": (Decimal | None, {"scale": 2}),
    "tags": (list[str] | None, {}),
    "is_bot": (bool | None, {}),
}
EVENT = {
    "at": AT,
    "page": "/a",
    "seconds": 1.5,
    "clicks": 3,
    "device": None,
    "day": date(2024, 5, 31),
    "paid": Decimal("1.25"),
    "tags": ["a"],
    "is_bot": False,
}


def contract(**changes: tuple[Any, dict[str, Any]] | None) -> Contract:
    """The contract, with columns changed, added, or, as None, removed."""
    columns = {name: one for name, one in {**COLUMNS, **changes}.items() if one is not None}
    body: dict[str, Any] = {name: field("What it is.", **more) for name, (_, more) in columns.items()}
    body["__annotations__"] = {name: kind for name, (kind, _) in columns.items()}
    return Contract(
        name="views",
        schema=type("Views", (pa.DataFrameModel,), body),
        description="Views.",
        owner="team:shop",
        partition=Partition("day", start=date(2024, 1, 1)),
        policy=Policy(unknown_columns="rescue"),
    )


def test_an_event_of_the_contract_is_written_and_read_by_its_avro_schema() -> None:
    parsed = fastavro.parse_schema(document(schema_of(contract(), "AVRO")))
    file = io.BytesIO()
    fastavro.schemaless_writer(file, parsed, EVENT)
    file.seek(0)
    assert fastavro.schemaless_reader(file, parsed, None) == EVENT


def test_its_json_schema_allows_what_the_contract_does_and_refuses_what_it_does_not() -> None:
    check = jsonschema.Draft7Validator(document(schema_of(contract(), "JSON")))
    good = {"at": AT.isoformat(), "page": "/a", "clicks": 3, "device": "phone", "paid": "1.25", "tags": None}
    assert check.is_valid(good)
    for wrong in ({"page": "a"}, {"clicks": -1}, {"clicks": 101}, {"device": "tv"}, {"seconds": "x"}, {"other": 1}):
        assert not check.is_valid(good | wrong), wrong
    assert not check.is_valid({name: value for name, value in good.items() if name != "at"})


def test_its_protobuf_schema_keeps_empty_and_zero_apart(store: Store) -> None:
    schema = schema_of(contract(), "PROTOBUF")
    message = message_class(protobuf_files(FileRegistry(store), schema)[-1], "lastmile.views")
    assert message(clicks=0).HasField("clicks")
    assert not message().HasField("clicks")


def test_a_column_keeps_its_number_and_that_of_a_removed_one_is_not_given_again() -> None:
    first = schema_of(contract(), "PROTOBUF")
    second = schema_of(contract(page=None, added=(int | None, {})), "PROTOBUF", first)
    third = schema_of(contract(page=(str | None, {}), more=(int | None, {})), "PROTOBUF", second)

    def numbers(schema: Schema) -> dict[str, int]:
        (message,) = protobuf_files(None, schema)[-1].message_type  # type: ignore[arg-type]  # it refers to nothing
        return {one.name: one.number for one in message.field}

    assert numbers(first)["page"] == 2
    assert numbers(second) == {**{k: v for k, v in numbers(first).items() if k != "page"}, "added": 10}
    assert numbers(third)["page"] == 2
    assert numbers(third)["more"] == 11


@pytest.mark.parametrize("kind", ["AVRO", "JSON", "PROTOBUF"])
def test_what_may_be_absent_is_added_and_removed_again(store: Store, kind: Any) -> None:
    registry = FileRegistry(store)
    subject = Published("views-value", contract(), kind)
    publish(registry, subject)
    wider = Published("views-value", contract(added=(int | None, {})), kind)
    assert judge(registry, wider).broken == []
    assert publish(registry, wider).version == 2
    assert publish(registry, wider).version == 2


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("AVRO", "field needed is not there, and has no default"),
        ("JSON", "property needed is required, and may be absent"),
    ],
)
def test_a_required_column_cannot_be_added(store: Store, kind: Any, said: str) -> None:
    registry = FileRegistry(store)
    publish(registry, Published("views-value", contract(), kind))
    after = Published("views-value", contract(needed=(int, {})), kind)
    assert [said in found for found in judge(registry, after).broken] == [True]
    with pytest.raises(UserError, match="needed"):
        publish(registry, after)
    assert publish(registry, after, force=True).version == 2
    assert registry.level("views-value") == "BACKWARD"


def stream(**more: Any) -> Stream:
    given = {"name": "views", "description": "Views.", "owner": "team:shop", "topic": "views", "contract": "views"}
    return Stream(**{**given, "event_time": "at", **more})


def test_a_consumer_publishes_its_contract_and_does_not_start_with_one_that_breaks_it(store: Store) -> None:
    registry = FileRegistry(store)
    expect_live(registry, stream(), contract())
    assert registry.subjects() == ["views-value"]
    expect_live(registry, stream(), contract())
    assert registry.versions("views-value") == [1]
    said = r"stream views does not start: .*property clicks may be integer, expected string.*a new topic"
    with pytest.raises(UserError, match=said):
        expect_live(registry, stream(), contract(clicks=(str, {})))
    assert registry.versions("views-value") == [1]


def test_of_the_producers_own_schema_only_the_columns_are_looked_for(store: Store) -> None:
    registry = FileRegistry(store)
    names = ("at", "path", "clicks")
    own = {"type": "record", "name": "Theirs", "fields": [{"name": name, "type": "string"} for name in names]}
    registry.register("views-value", Schema("AVRO", json.dumps(own)))
    expect_live(registry, stream(), contract())
    assert registry.versions("views-value") == [1]
    with pytest.raises(UserError, match="column needed is required, and at, path, clicks is what there is"):
        expect_live(registry, stream(), contract(needed=(int, {})))


def test_the_types_of_a_contract_survive_the_way_through_avro(store: Store) -> None:
    """What is decoded by the published schema is what the contract's columns hold."""
    from lastmile.streaming.messages.avro import AvroReader

    schema = document(schema_of(contract(), "AVRO"))
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), EVENT)
    found: list[Any] = []
    AvroReader(schema, {}).read([file.getvalue()] * 40, 0, found, [])
    assert found[0].drop("_number").row(39, named=True) == EVENT
