"""Topics made, listed, widened and deleted by Kafka's own client."""

import socket
import time
from contextlib import suppress

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic
from kafka_broker import RunningBroker


def test_a_topic_has_the_partitions_and_settings_it_was_made_with(killable_kafka: RunningBroker) -> None:
    topic = killable_kafka.new_topic(partitions=3, retention_ms=1000)
    killable_kafka.kill()
    killable_kafka.start()
    admin = killable_kafka.admin()
    assert set(admin.list_topics(timeout=20).topics[topic].partitions) == {0, 1, 2}
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(20)
    assert configs["retention.ms"].value == "1000"


def test_partitions_are_added_and_topics_deleted(kafka: RunningBroker) -> None:
    topic, admin = kafka.new_topic(), kafka.admin()
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(20)
    kafka.send(topic, [b"x"], partition=3)
    assert len(kafka.read(topic, 1, partition=3)) == 1
    admin.delete_topics([topic])[topic].result(20)
    assert topic not in admin.list_topics(timeout=20).topics


def test_a_topic_made_anew_has_nothing_of_the_one_before(kafka: RunningBroker) -> None:
    topic, admin = kafka.new_topic(), kafka.admin()
    kafka.send(topic, [b"old"] * 3)
    one = Consumer({"bootstrap.servers": kafka.servers, "group.id": topic})
    one.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    admin.delete_topics([topic])[topic].result(20)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    kafka.send(topic, [b"new"])
    assert [(found.offset(), found.value()) for found in kafka.read(topic, 1)] == [(0, b"new")]
    assert one.committed([TopicPartition(topic, 0)], timeout=20)[0].offset < 0
    one.close()


def test_writing_to_an_unknown_topic_makes_it(kafka: RunningBroker) -> None:
    name = kafka.new_topic() + "-written-to"
    with kafka.producer() as producer:
        producer.produce(name, b"x")
    assert len(kafka.admin().list_topics(timeout=20).topics[name].partitions) == 4


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (NewTopic("two replicas", 1, 2), "replication factor is 1"),
        (NewTopic("bad/name", 1, 1), "letters, digits"),
        (NewTopic("compacted", 1, 1, config={"cleanup.policy": "compact"}), "no compaction"),
        (NewTopic("none", 0, 1), "partitions"),
        (NewTopic("worded", 1, 1, config={"retention.ms": "a week"}), "expected a number"),
    ],
)
def test_a_topic_that_cannot_be_is_refused_with_the_reason(kafka: RunningBroker, topic: NewTopic, reason: str) -> None:
    admin = kafka.admin()
    with pytest.raises(KafkaException, match=reason):
        admin.create_topics([topic])[topic.topic].result(20)
    assert topic.topic not in admin.list_topics(timeout=20).topics


def test_offsets_are_found_by_time(kafka: RunningBroker) -> None:
    topic = kafka.new_topic()
    for at in (1000, 2000, 3000):
        with kafka.producer() as producer:
            producer.produce(topic, b"x", partition=0, timestamp=at)
    one = Consumer({"bootstrap.servers": kafka.servers, "group.id": "times"})
    asked = [TopicPartition(topic, 0, at) for at in (0, 1001, 3000, 9000)]
    found = [one.offsets_for_times([at], timeout=20)[0].offset for at in asked]
    assert found[:3] == [0, 1, 2]
    assert found[3] == -1
    assert one.get_watermark_offsets(TopicPartition(topic, 0), timeout=20) == (0, 3)
    one.close()


def test_groups_are_listed_and_described(kafka: RunningBroker) -> None:
    topic = kafka.new_topic()
    one = Consumer({"bootstrap.servers": kafka.servers, "group.id": topic, "client.id": "me"})
    one.subscribe([topic])
    deadline = time.monotonic() + 20
    while not one.assignment() and time.monotonic() < deadline:
        one.poll(0.1)
    admin = kafka.admin()
    assert topic in {group.group_id for group in admin.list_consumer_groups().result(20).valid}
    described = admin.describe_consumer_groups([topic])[topic].result(20)
    assert [member.client_id for member in described.members] == ["me"]
    assert described.members[0].assignment.topic_partitions[0].topic == topic
    one.close()


def test_what_is_no_request_ends_its_own_connection_only(kafka: RunningBroker) -> None:
    web, nonsense, cut = b"GET / HTTP/1.1\r\n\r\n" * 10, b"\xff" * 16, b"\0\x03\0\x05" + b"\x7f" * 28
    for words in (web, b"\0\0\0\x10" + nonsense, b"\0\0\0\x20" + cut):
        with socket.create_connection(("127.0.0.1", kafka.port)) as connection:
            connection.settimeout(10)
            connection.sendall(words)
            with suppress(ConnectionResetError):  # what was not read is answered so
                assert connection.recv(10) == b""
    admin = kafka.admin()
    assert admin.list_topics(timeout=20).brokers
