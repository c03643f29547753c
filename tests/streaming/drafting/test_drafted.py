"""A contract drafted from a topic: its events load under it, whatever the format, and nothing is left behind."""

import io
import json
import struct
from datetime import UTC, datetime
from typing import Any

import fastavro
import polars as pl
import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka_broker import RunningBroker
from streamed import arrow
from streaming.orders_proto import message_class

from lastmile.contracts import Contract
from lastmile.errors import Unreachable, UserError
from lastmile.ingestion.draft.check import contract_of
from lastmile.store import Store
from lastmile.streaming import Stream
from lastmile.streaming.drafting.drafted import Drafted, drafted
from lastmile.streaming.drafting.newest import newest, shares
from lastmile.streaming.messages.codecs import codec_of
from lastmile.streaming.schemas.contracts import schema_of
from lastmile.streaming.schemas.files import FileRegistry
from lastmile.streaming.schemas.resolving import protobuf_files
from lastmile.streaming.schemas.schema import Kind, Schema, document
from lastmile.streaming.validation import Validation

Event = dict[str, Any]


def event(number: int) -> Event:
    return {
        "view_id": f"v{number:05}",
        "at": f"2026-03-01T08:{number // 60 % 60:02}:{number % 60:02}.250Z",
        "page": ("/", "/shop", "/basket")[number % 3],
        "duration_ms": number * 7 % 1_000,
        "is_mobile": number % 2 == 0,
        "referrer": None if number % 4 else "https://example.org",
        "received_at": "2026-03-01T09:00:00Z",
    }


EVENTS = [event(number) for number in range(300)]


def typed(one: Event) -> Event:
    return {**one, "at": datetime.fromisoformat(one["at"]), "received_at": datetime(2026, 3, 1, 9, tzinfo=UTC)}


class Topic:
    """A topic of its own, to be drafted from."""

    def __init__(self, kafka: RunningBroker, registry: FileRegistry, partitions: int = 1) -> None:
        self.kafka, self.registry, self.name = kafka, registry, kafka.new_topic(partitions)

    @property
    def client(self) -> dict[str, str]:
        return {"bootstrap.servers": self.kafka.servers}

    def drafted(self, **given: Any) -> Drafted:
        return drafted(self.client, self.name, given.get("form", "auto"), "page_views", lambda: self.registry)

    def valid(self, contract: Contract, stream: Stream, count: int) -> pl.DataFrame:
        """The events that are valid when the stream reads them under the contract."""
        messages = newest(self.client, self.name, lambda _: None).messages
        assert len(messages) == count
        decoded = codec_of(stream, contract, lambda: self.registry).decode(messages)
        return Validation(contract).validate(decoded.frame).valid


@pytest.fixture
def topic(kafka: RunningBroker, store: Store) -> Topic:
    return Topic(kafka, FileRegistry(store))


def stream_in(text: str | None) -> Stream:
    assert text is not None
    module: dict[str, Any] = {}
    exec(compile(text, "<stream>", "exec"), module)
    found = module["stream"]
    assert isinstance(found, Stream)
    return found


def as_json(_: Topic) -> list[bytes]:
    return [json.dumps(one).encode() for one in EVENTS]


def framed(topic: Topic, kind: Kind) -> tuple[bytes, Schema]:
    """The frame of a schema, and that: of the contract that is drafted from JSON."""
    other = Topic(topic.kafka, topic.registry)
    other.kafka.send(other.name, as_json(other))
    schema = schema_of(contract_of(other.drafted().contract), kind)
    return b"\0" + struct.pack(">I", topic.registry.register(f"{topic.name}-value", schema).id), schema


def as_avro(topic: Topic) -> list[bytes]:
    frame, schema = framed(topic, "AVRO")
    parsed = fastavro.parse_schema(document(schema))

    def written(one: Event) -> bytes:
        file = io.BytesIO()
        fastavro.schemaless_writer(file, parsed, typed(one))
        return frame + file.getvalue()

    return [written(one) for one in EVENTS]


def as_protobuf(topic: Topic) -> list[bytes]:
    frame, schema = framed(topic, "PROTOBUF")
    made = message_class(protobuf_files(topic.registry, schema)[-1], "lastmile.page_views")

    def written(one: Event) -> bytes:
        plain = {name: value for name, value in one.items() if value is not None and not name.endswith("at")}
        message = made(**plain)
        message.at.FromDatetime(typed(one)["at"])
        message.received_at.FromDatetime(typed(one)["received_at"])
        return frame + b"\0" + message.SerializeToString()

    return [written(one) for one in EVENTS]


def as_envelopes(_: Topic) -> list[bytes]:
    written = []
    for start in range(0, len(EVENTS), 100):
        table = pl.DataFrame([typed(one) for one in EVENTS[start : start + 100]]).to_arrow()
        written.append(arrow(table))
    return written


FORMATS = {"json": as_json, "avro": as_avro, "protobuf": as_protobuf, "arrow": as_envelopes}


@pytest.mark.parametrize("name", FORMATS)
def test_all_events_of_a_topic_are_valid_under_the_contract_drafted_from_it(topic: Topic, name: str) -> None:
    messages = FORMATS[name](topic)
    topic.kafka.send(topic.name, messages)
    made = topic.drafted()
    contract, stream = contract_of(made.contract), stream_in(made.stream)
    assert {name: kind.name for name, kind in contract.kinds.items()} == {
        "view_id": "text",
        "at": "timestamp",
        "page": "text",
        "duration_ms": "whole number",
        "is_mobile": "boolean",
        "referrer": "text",
        "received_at": "timestamp",
    }
    assert (contract.name, contract.key, contract.partition.unit) == ("page_views", ("view_id",), "day")
    assert contract.partition.column is None
    assert (stream.topic, stream.event_time) == (topic.name, "at")
    stream.expect_fits(contract)
    assert topic.valid(contract, stream, len(messages)).height == len(EVENTS)


def test_messages_that_are_no_events_are_named_by_partition_and_offset(kafka: RunningBroker, store: Store) -> None:
    topic = Topic(kafka, FileRegistry(store), partitions=2)
    kafka.send(topic.name, [json.dumps(one).encode() for one in EVENTS[:200]], partition=0)
    kafka.send(topic.name, [json.dumps(EVENTS[200]).encode(), b"no JSON", b"\0\0\0\0\x63of no schema"], partition=1)
    made = topic.drafted()
    assert made.said[0].endswith("203 of 203 messages in 2 partitions were read, 201 events drafted from")
    assert made.said[1] == "2 messages are not read, and would be quarantined"
    assert made.said[2].startswith("partition 1, offset 1: ")
    assert "its schema, number 99, is not read" in made.said[3]


def envelope(op: str, number: int, stock: int, key: bool = True) -> tuple[bytes | None, bytes]:
    row = {"product": f"p{number:03}", "stock": stock, "changed_at": "2026-03-01T08:00:00Z"}
    source = {"schema": "public", "table": "stock", "lsn": number * 100 + stock}
    said = {"op": op, "before": row if op == "d" else None, "after": None if op == "d" else row, "source": source}
    return json.dumps({"product": row["product"]}).encode() if key else None, json.dumps(said).encode()


def test_a_topic_of_changes_gives_the_contract_of_the_table_with_its_key(topic: Topic) -> None:
    sent = [envelope("c", number, 1) for number in range(150)]
    sent += [envelope("u", number, 2) for number in range(150)] + [envelope("d", 7, 2)]
    with topic.kafka.producer() as producer:
        for key, value in sent:
            producer.produce(topic.name, value, key=key)
        producer.produce(topic.name, None, key=sent[-1][0])
    made = topic.drafted()
    contract, stream = contract_of(made.contract), stream_in(made.stream)
    assert (list(contract.columns), contract.key) == (["product", "stock", "changed_at"], ("product",))
    assert (stream.format, stream.lands) == ("debezium", False)
    stream.expect_fits(contract)
    assert made.said == (
        f"{topic.name}: 302 of 302 messages in 1 partitions were read, 150 changes of rows drafted from",
    )


def test_what_no_table_can_hold_is_named(topic: Topic) -> None:
    table = pl.DataFrame({"view_id": ["v1", "v2"], "hash": [b"\xff\xfe", b"\xff\xff"]}).to_arrow()
    topic.kafka.send(topic.name, [arrow(table)])
    with pytest.raises(UserError, match=r"2 records, all broken, such as hash: expected text in UTF-8"):
        topic.drafted()


def test_an_event_with_an_op_of_its_own_is_no_change_of_a_row(topic: Topic) -> None:
    topic.kafka.send(topic.name, [json.dumps({**one, "op": "u"}).encode() for one in EVENTS])
    assert "op" in contract_of(topic.drafted().contract).columns


def test_without_a_time_that_every_event_has_no_stream_is_drafted(topic: Topic) -> None:
    topic.kafka.send(topic.name, [json.dumps({"n": number, "page": "/"}).encode() for number in range(50)])
    made = topic.drafted()
    assert made.stream is None
    assert "no column is a timestamp that every event has" in made.said[-1]


def test_drafting_commits_no_offset_and_leaves_no_group(topic: Topic) -> None:
    topic.kafka.send(topic.name, as_json(topic))
    topic.drafted()
    consumer = Consumer({**topic.client, "group.id": "lastmile.draft"})
    (committed,) = consumer.committed([TopicPartition(topic.name, 0)], timeout=20)
    consumer.close()
    assert committed.offset < 0
    groups = topic.kafka.admin().list_consumer_groups()
    assert "lastmile.draft" not in [one.group_id for one in groups.result(20).valid]


def test_the_newest_messages_of_each_partition_are_read(
    kafka: RunningBroker, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lastmile.streaming.drafting.newest._MOST", 100)
    topic = Topic(kafka, FileRegistry(store), partitions=3)
    for partition, count in enumerate((10, 0, 500)):
        kafka.send(topic.name, [str(number).encode() for number in range(count)], partition=partition)
    found = newest(topic.client, topic.name, lambda _: None)
    places = list(zip(found.messages.partitions, found.messages.offsets, strict=True))
    by_partition = {number: [offset for partition, offset in places if partition == number] for number in (0, 2)}
    assert by_partition == {0: list(range(10)), 2: list(range(410, 500))}
    assert (found.there, found.partitions) == (510, 3)


def test_small_partitions_leave_the_others_what_they_do_not_need() -> None:
    assert shares({0: 10, 1: 500, 2: 500}, 110) == {0: 10, 1: 50, 2: 50}
    assert shares(dict.fromkeys(range(3), 5), 2) == {0: 1, 1: 1, 2: 1}


def test_what_is_not_there_is_named(topic: Topic) -> None:
    with pytest.raises(UserError, match="has no messages to draft from"):
        topic.drafted()
    topic.kafka.send(topic.name, [b"no JSON", b"{"])
    with pytest.raises(UserError, match=r"has no event to draft from; 2 messages .*; partition 0, offset 0: "):
        topic.drafted()
    with pytest.raises(UserError, match=r"has no topic 'nothing'; there are: .*topic-"):
        drafted(topic.client, "nothing", "auto", "nothing", lambda: topic.registry)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1: .*is the cluster up"):
        drafted({"bootstrap.servers": "127.0.0.1:1"}, topic.name, "auto", "nothing", lambda: topic.registry)
