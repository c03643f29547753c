"""The registry answers Confluent's own client, serializers and deserializers, over HTTP and behind the door."""

import json
from collections.abc import Callable

import httpx
import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from streaming.orders_proto import message_class, orders

from lastmile.errors import Unreachable
from lastmile.streaming.schemas.confluent import ConfluentRegistry
from lastmile.streaming.schemas.files import Incompatible
from lastmile.streaming.schemas.schema import Schema as OurSchema
from lastmile.streaming.schemas.schema import Unknown

VALUE = SerializationContext("orders", MessageField.VALUE)
AVRO = {
    "type": "record",
    "name": "Order",
    "fields": [{"name": "id", "type": "long"}, {"name": "note", "type": ["null", "string"], "default": None}],
}
JSON = {
    "title": "Order",
    "type": "object",
    "properties": {"id": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}


REFUSED = [
    (lambda registry: registry.get_schema(99), 404, 40403),
    (lambda registry: registry.get_versions("none"), 404, 40401),
    (lambda registry: registry.get_version("a", 9), 404, 40402),
    (lambda registry: registry.register_schema("a", Schema("{", "AVRO")), 422, 42201),
    (lambda registry: registry.register_schema("a", Schema('{"type": "rec"}', "AVRO")), 422, 42201),
    (lambda registry: registry.register_schema("a", Schema('{"type": 1}', "JSON")), 422, 42201),
    (lambda registry: registry.register_schema("a", Schema("message A {}", "PROTOBUF")), 422, 42201),
    (lambda registry: registry.set_compatibility("a", "SOMETIMES"), 422, 42203),
]


@pytest.fixture
def client(api) -> Callable[..., SchemaRegistryClient]:
    """A client with a key of a role, as the password of basic authentication or as a bearer token."""

    def made(role: str = "engineer", **more) -> SchemaRegistryClient:
        basic = {"basic.auth.user.info": f"any:{api.key(role)}"}
        return SchemaRegistryClient({"url": f"{api.url}/registry", "max.retries": 0, **(more or basic)})

    return made


def avro(*fields: dict, name: str = "Order") -> Schema:
    return Schema(json.dumps({"type": "record", "name": name, "fields": list(fields)}), "AVRO")


def test_avro_written_by_one_client_is_read_by_another(client) -> None:
    write = AvroSerializer(client(), json.dumps(AVRO))
    message = write({"id": 7, "note": None}, VALUE)
    assert message[:5] == b"\0\0\0\0\1"
    read = AvroDeserializer(client("viewer"))
    assert read(message, VALUE) == {"id": 7, "note": None}


def test_json_written_by_one_client_is_read_by_another(client) -> None:
    message = JSONSerializer(json.dumps(JSON), client())({"id": 7}, VALUE)
    read = JSONDeserializer(json.dumps(JSON), schema_registry_client=client("viewer"))
    assert read(message, VALUE) == {"id": 7}


def test_protobuf_written_by_one_client_is_read_by_another(client) -> None:
    order = message_class(orders(), "shop.Order")
    settings = {"use.deprecated.format": False, "skip.known.types": True}
    message = ProtobufSerializer(order, client(), settings)(order(id=7, tags=["a"]), VALUE)
    read = ProtobufDeserializer(order, {"use.deprecated.format": False}, client("viewer"))
    assert read(message, VALUE).tags == ["a"]


def test_equal_schemas_have_one_number_and_each_subject_its_versions(client) -> None:
    registry = client()
    first = avro({"name": "id", "type": "long"})
    spaced = Schema(json.dumps(json.loads(first.schema_str), indent=2), "AVRO")
    wider = avro({"name": "id", "type": "long"}, {"name": "x", "type": "int", "default": 0})
    numbers = [registry.register_schema(*one) for one in (("a", first), ("b", spaced), ("a", wider), ("a", first))]
    assert numbers == [1, 1, 2, 1]
    assert registry.get_subjects() == ["a", "b"]
    assert registry.get_versions("a") == [1, 2]
    assert registry.get_latest_version("a").schema_id == 2
    assert registry.get_version("a", 1).schema.schema_str == first.schema_str
    assert client().lookup_schema("a", wider).version == 2
    assert sorted(registry.get_subjects_by_schema_id(1)) == ["a", "b"]
    assert [(one.subject, one.version) for one in registry.get_schema_versions(2)] == [("a", 2)]


def test_a_schema_that_breaks_what_was_promised_is_refused_with_what_it_breaks(client) -> None:
    registry = client()
    registry.register_schema("a", avro({"name": "id", "type": "long"}))
    breaking = avro({"name": "id", "type": "string"}, {"name": "new", "type": "int"})
    assert not registry.test_compatibility("a", breaking)
    with pytest.raises(
        SchemaRegistryError, match=r"field id is long, expected string; .*field new is not there"
    ) as error:
        registry.register_schema("a", breaking)
    assert error.value.http_status_code == 409
    registry.set_compatibility("a", "NONE")
    assert registry.get_compatibility("a") == "NONE"
    assert registry.register_schema("a", breaking) == 2
    assert registry.get_compatibility() == "BACKWARD"


def test_levels_are_of_all_or_of_one_subject(client) -> None:
    registry = client()
    registry.set_config(None, ServerConfig(compatibility=ConfigCompatibilityLevel.FULL))
    assert registry.get_compatibility() == "FULL"
    with pytest.raises(SchemaRegistryError) as error:
        registry.get_compatibility("a")
    assert error.value.http_status_code == 404
    registry.set_compatibility("a", "FORWARD")
    assert registry.get_compatibility("a") == "FORWARD"
    registry.delete_config("a")
    with pytest.raises(SchemaRegistryError):
        registry.get_compatibility("a")


def test_a_schema_may_refer_to_another_one(client) -> None:
    registry = client()
    registry.register_schema("money", avro({"name": "cents", "type": "long"}, name="Money"))
    reference = [SchemaReference("Money", "money", 1)]
    order = Schema(avro({"name": "price", "type": "Money"}).schema_str, "AVRO", reference)
    write = AvroSerializer(registry, order)
    message = write({"price": {"cents": 5}}, VALUE)
    assert AvroDeserializer(client())(message, VALUE) == {"price": {"cents": 5}}
    assert registry.get_referenced_by("money", 1) == [2]
    with pytest.raises(SchemaRegistryError, match="refer to version 1"):
        registry.delete_version("money", 1)


def test_what_is_deleted_is_hidden_and_messages_are_read_all_the_same(client) -> None:
    registry = client()
    message = AvroSerializer(registry, json.dumps(AVRO))({"id": 7, "note": None}, VALUE)
    assert registry.delete_subject("orders-value") == [1]
    assert registry.get_subjects() == []
    assert registry.get_subjects(deleted=True) == ["orders-value"]
    assert AvroDeserializer(client())(message, VALUE)["id"] == 7
    assert client().register_schema("orders-value", Schema(json.dumps(AVRO), "AVRO")) == 1
    assert registry.get_versions("orders-value") == [2]


def test_errors_have_the_numbers_that_clients_know(client) -> None:
    registry = client()
    registry.register_schema("a", avro({"name": "id", "type": "long"}))
    for call, status, code in REFUSED:
        with pytest.raises(SchemaRegistryError) as error:
            call(registry)
        assert (error.value.http_status_code, error.value.error_code) == (status, code)


def test_a_subject_may_have_any_name(client) -> None:
    registry, names = client(), ["a/b", "a b", "ä:ö", "...", "100%", "~x", "=41"]
    for name in names:
        registry.register_schema(name, avro({"name": "id", "type": "long"}))
    assert registry.get_subjects() == sorted(names)
    assert [registry.get_latest_version(name).version for name in names] == [1] * len(names)


def test_it_is_behind_the_door(api, client) -> None:
    assert api("/registry/subjects").status_code == 401
    assert httpx.get(f"{api.url}/registry/subjects", auth=("any", "lm_wrong")).status_code == 401
    with pytest.raises(SchemaRegistryError) as error:
        client("viewer").register_schema("a", avro({"name": "id", "type": "long"}))
    assert error.value.http_status_code == 403
    token = {"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": api.key("viewer")}
    of_confluent = {"bearer.auth.logical.cluster": "-", "bearer.auth.identity.pool.id": "-"}
    assert client(**token, **of_confluent).get_subjects() == []


def test_the_platform_itself_uses_a_registry_of_that_protocol(api) -> None:
    """A cluster's registry is reached by URL; here ours stands for it."""
    there = ConfluentRegistry({"url": f"{api.url}/registry", "basic.auth.user.info": f"any:{api.key('engineer')}"})
    text = json.dumps(AVRO)
    made = there.register("a", OurSchema("AVRO", text))
    assert (made.version, made.id) == (1, 1)
    assert there.by_id(1).text == text
    assert there.version("a") == made
    assert (there.subjects(), there.versions("a"), there.level("a")) == (["a"], [1], "BACKWARD")
    breaking = OurSchema("AVRO", json.dumps({**AVRO, "fields": [{"name": "new", "type": "int"}]}))
    assert there.broken_by("a", breaking)
    with pytest.raises(Incompatible, match="field new is not there"):
        there.register("a", breaking)
    there.set_level("NONE", "a")
    assert there.register("a", breaking).version == 2
    with pytest.raises(Unknown):
        there.by_id(99)
    with pytest.raises(Unknown):
        there.version("none")
    with pytest.raises(Unreachable, match="cannot be reached"):
        ConfluentRegistry({"url": "http://127.0.0.1:9", "max.retries": 0}).by_id(1)
    with pytest.raises(Unreachable, match="_KEY"):
        ConfluentRegistry({"url": f"{api.url}/registry"}).subjects()
