"""Consumers of a group share the partitions, and take over from one that dies."""

import time
from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition
from kafka_broker import RunningBroker


def consumer(kafka: RunningBroker, group: str, **configs) -> Consumer:
    given = {key.replace("_", "."): value for key, value in configs.items()}
    defaults = {"auto.offset.reset": "earliest", "session.timeout.ms": 3000, "heartbeat.interval.ms": 300}
    return Consumer({"bootstrap.servers": kafka.servers, "group.id": group, "log_level": 0, **defaults, **given})


def wait_until(consumers: list[Consumer], holds: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        for one in consumers:
            one.poll(0.05)
    return holds()


def parts(one: Consumer) -> set[int]:
    return {found.partition for found in one.assignment()}


def test_members_share_the_partitions_and_a_leaving_one_gives_its_own_back(kafka: RunningBroker) -> None:
    topic = kafka.new_topic(partitions=6)
    first, second = consumer(kafka, topic), consumer(kafka, topic)
    first.subscribe([topic])
    assert wait_until([first], lambda: len(parts(first)) == 6)
    second.subscribe([topic])
    assert wait_until([first, second], lambda: len(parts(first)) == len(parts(second)) == 3)
    assert parts(first) | parts(second) == set(range(6))
    second.close()
    assert wait_until([first], lambda: len(parts(first)) == 6)
    first.close()


def test_a_silent_member_loses_its_partitions_after_its_session(kafka: RunningBroker) -> None:
    topic = kafka.new_topic(partitions=4)
    # A consumer that does not poll for so long leaves; to the broker it is one that has died.
    silent = consumer(kafka, topic, max_poll_interval_ms=3000)
    silent.subscribe([topic])
    assert wait_until([silent], lambda: len(parts(silent)) == 4)
    other = consumer(kafka, topic)
    other.subscribe([topic])
    assert wait_until([other], lambda: len(parts(other)) == 4)
    other.close()
    silent.close()


def test_cooperative_members_keep_what_they_have(kafka: RunningBroker) -> None:
    topic, revoked = kafka.new_topic(partitions=4), []
    first, second = (consumer(kafka, topic, partition_assignment_strategy="cooperative-sticky") for _ in range(2))
    first.subscribe([topic], on_revoke=lambda _, lost: revoked.extend(one.partition for one in lost))
    assert wait_until([first], lambda: len(parts(first)) == 4)
    second.subscribe([topic])
    assert wait_until([first, second], lambda: len(parts(first)) == len(parts(second)) == 2)
    assert len(revoked) == 2
    first.close()
    second.close()


def test_committed_offsets_survive_the_broker(killable_kafka: RunningBroker) -> None:
    topic = killable_kafka.new_topic()
    killable_kafka.send(topic, [b"1", b"2", b"3"])
    one = consumer(killable_kafka, "g")
    one.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    killable_kafka.kill()
    killable_kafka.start()
    assert one.committed([TopicPartition(topic, 0)], timeout=20)[0].offset == 2
    one.close()


def test_members_join_again_when_the_broker_was_away(killable_kafka: RunningBroker) -> None:
    topic = killable_kafka.new_topic(partitions=2)
    one = consumer(killable_kafka, "g")
    one.subscribe([topic])
    assert wait_until([one], lambda: len(parts(one)) == 2)
    killable_kafka.kill()
    killable_kafka.start()
    killable_kafka.send(topic, [b"after"])
    found = []
    assert wait_until([], lambda: bool(found.extend(one.consume(1, 0.2)) or found))
    assert found[0].value() == b"after"
    one.close()
