"""What the broker has acknowledged is kept, once and in order, whatever happens to it."""

import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka_broker import RunningBroker

from lastmile.embedded.broker import partition as room
from lastmile.embedded.broker.batches import HEADER_BYTES, header
from lastmile.embedded.broker.broker import Broker
from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.wire import Reader, Writer
from lastmile.errors import UserError


def test_records_come_back_in_order_with_key_headers_and_time(kafka: RunningBroker) -> None:
    topic = kafka.new_topic()
    with kafka.producer() as producer:
        for number in range(5000):
            headers = [("n", str(number).encode())]
            producer.produce(topic, b"%d" % number, key=b"k", partition=0, timestamp=1000 + number, headers=headers)
    found = kafka.read(topic, 5000)
    assert [int(message.value()) for message in found] == list(range(5000))
    assert (found[7].key(), found[7].headers(), found[7].timestamp()[1]) == (b"k", [("n", b"7")], 1007)


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "snappy", "zstd"])
def test_compressed_batches_are_kept_as_they_are(kafka: RunningBroker, compression: str) -> None:
    topic = kafka.new_topic()
    with kafka.producer(compression_type=compression) as producer:
        for number in range(1000):
            producer.produce(topic, b"%d" % number, partition=0)
    assert [message.offset() for message in kafka.read(topic, 900, offset=100)] == list(range(100, 1000))


def test_no_acknowledged_record_is_lost_or_doubled_when_the_broker_is_killed(killable_kafka: RunningBroker) -> None:
    topic, acknowledged, stop = killable_kafka.new_topic(), [], threading.Event()

    def note(error, message) -> None:
        if error is None:
            acknowledged.append(message.value())

    def produce() -> None:
        with killable_kafka.producer(linger_ms=0) as producer:
            number = 0
            while not stop.is_set():
                producer.produce(topic, b"%d" % number, partition=0, on_delivery=note)
                number += 1
                producer.poll(0.001)

    thread = threading.Thread(target=produce)
    thread.start()
    for _ in range(4):
        time.sleep(0.4)
        killable_kafka.kill()
        killable_kafka.start()
    stop.set()
    thread.join()
    found = [message.value() for message in killable_kafka.read(topic, len(acknowledged))]
    assert len(acknowledged) > 500
    assert found == [b"%d" % number for number in range(len(acknowledged))]


def test_a_retry_after_a_death_is_the_record_that_was_written(killable_kafka: RunningBroker) -> None:
    """The answer to the first try is lost: the producer cannot know, and sends the same again."""
    topic = killable_kafka.new_topic()

    def produce(sequence: int) -> tuple[int, int]:
        body = batch(producer=7, sequence=sequence)
        asked = Writer()
        for number in (0, 3):
            asked.int16(number)
        asked.int32(1)
        asked.text("test")
        asked.text(None)
        asked.int16(-1)
        for number in (1000, 1):
            asked.int32(number)
        asked.text(topic)
        for number in (1, 0):
            asked.int32(number)
        asked.bytes(body)
        whole = b"".join(bytes(part) for part in asked.parts)
        with socket.create_connection(("127.0.0.1", killable_kafka.port)) as connection:
            connection.sendall(struct.pack(">i", len(whole)) + whole)
            answer = Reader(memoryview(connection.recv(1000)))
        answer.int32(), answer.int32(), answer.int32(), answer.text(), answer.int32(), answer.int32()
        return answer.int16(), answer.int64()

    assert [produce(0), produce(1)] == [(Code.NONE, 0), (Code.NONE, 1)]
    killable_kafka.kill()
    killable_kafka.start()
    assert [produce(0), produce(1), produce(2)] == [(Code.NONE, 0), (Code.NONE, 1), (Code.NONE, 2)]
    assert produce(9)[0] == Code.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_consumer_passes_over_nothing_while_several_producers_write(kafka: RunningBroker) -> None:
    topic, each = kafka.new_topic(), 2000

    def produce(name: int) -> None:
        with kafka.producer(linger_ms=0, batch_num_messages=10) as producer:
            for number in range(each):
                producer.produce(topic, b"%d %d" % (name, number), partition=0)
                producer.poll(0)

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    found = kafka.read(topic, 4 * each)
    for thread in threads:
        thread.join()
    assert [message.offset() for message in found] == list(range(4 * each))
    assert len({message.value() for message in found}) == 4 * each


def test_a_record_cut_off_by_a_death_is_not_there_and_does_no_harm(killable_kafka: RunningBroker) -> None:
    topic = killable_kafka.new_topic()
    killable_kafka.send(topic, [b"whole"])
    killable_kafka.kill()
    segment = next((killable_kafka.folder / "topics" / topic / "0").glob("*.log"))
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[:-3])
    killable_kafka.start()
    killable_kafka.send(topic, [b"next"])
    assert [(one.offset(), one.value()) for one in killable_kafka.read(topic, 2)] == [(0, b"whole"), (1, b"next")]


def test_one_broker_at_a_time_has_the_files(killable_kafka: RunningBroker) -> None:
    with pytest.raises(UserError, match="another Kafka broker runs"):
        Broker(killable_kafka.folder, "127.0.0.1", 1)


def test_a_message_longer_than_the_topic_allows_is_refused_and_others_go_on(kafka: RunningBroker) -> None:
    topic, errors = kafka.new_topic(max_message_bytes=20_000), []
    producer = Producer({"bootstrap.servers": kafka.servers, "message.max.bytes": 10_000_000})
    for size in (100, 50_000, 100):
        producer.produce(topic, b"x" * size, partition=0, on_delivery=lambda error, _: errors.append(error))
        producer.flush(20)
    assert [error and error.name() for error in errors] == [None, "MSG_SIZE_TOO_LARGE", None]
    assert len(kafka.read(topic, 2)) == 2


def test_a_message_of_five_megabytes_arrives_where_nothing_forbids_it(kafka: RunningBroker) -> None:
    topic = kafka.new_topic()
    with kafka.producer(message_max_bytes=10_000_000) as producer:
        producer.produce(topic, b"x" * 5_000_000, partition=0)
        producer.produce(topic, b"y", partition=0)
    assert [len(message.value()) for message in kafka.read(topic, 2)] == [5_000_000, 1]


def batch(size: int = 100, magic: int = 2, attributes: int = 0, producer: int = -1, sequence: int = -1) -> memoryview:
    """A batch of one record, of which only the header matters here."""
    fields = (0, HEADER_BYTES - 12 + size, 0, magic, 0, attributes, 0, 5, 5, producer, 0, sequence, 1)
    head = struct.pack(">qiibIhiqqqhii", *fields)
    return memoryview(bytearray(head + b"." * size))


def test_a_consumer_sees_a_record_only_when_the_disk_has_it(tmp_path: Path) -> None:
    partition = room.Partition(tmp_path)
    partition.append(batch(), 10_000)
    assert (partition.end, partition.high, partition.read(0, 1000)) == (1, 0, b"")
    end = partition.sync()
    partition.append(batch(), 10_000)
    partition.synced(end)
    assert (partition.high, len(partition.read(0, 10_000))) == (1, len(batch()))
    partition.close()


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (batch(magic=1), Code.UNSUPPORTED_FOR_MESSAGE_FORMAT),
        (batch(attributes=0x10), Code.INVALID_REQUEST),
        (batch()[:-1], Code.CORRUPT_MESSAGE),
        (batch(size=20_000), Code.MESSAGE_TOO_LARGE),
        (memoryview(b""), Code.CORRUPT_MESSAGE),
    ],
)
def test_what_is_no_batch_is_refused_with_nothing_written(tmp_path: Path, records: memoryview, code: Code) -> None:
    partition = room.Partition(tmp_path)
    with pytest.raises(Refused) as refused:
        partition.append(records, 10_000)
    assert (refused.value.code, partition.end) == (code, 0)
    partition.close()


def test_the_last_segments_stay_when_old_ones_are_past_their_retention(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(room, "SEGMENT_BYTES", 1000)
    partition = room.Partition(tmp_path)
    for _ in range(100):
        partition.append(batch(), 10_000)
    partition.synced(partition.sync())
    partition.retain(oldest=0, most_bytes=3000)
    assert 0 < partition.start < 100
    assert partition.end == 100
    with pytest.raises(Refused):
        partition.read(0, 1000)
    assert partition.read(partition.start, 10_000)
    partition.close()
    again = room.Partition(tmp_path)
    assert (again.start, again.end) == (partition.start, 100)
    again.close()


def test_any_offset_is_found_across_segments(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(room, "SEGMENT_BYTES", 20_000)
    partition = room.Partition(tmp_path)
    for _ in range(1000):
        partition.append(batch(), 10_000)
    partition.synced(partition.sync())
    partition.close()
    again = room.Partition(tmp_path)
    for offset in range(0, 1000, 7):
        found = header(again.read(offset, 1))
        assert found is not None
        assert found.base_offset == offset
    again.close()


def test_a_full_disk_refuses_a_record_and_leaves_the_file_whole(tmp_path: Path, monkeypatch) -> None:
    partition = room.Partition(tmp_path)
    partition.append(batch(), 10_000)
    write = os.write

    def half(descriptor: int, body: memoryview) -> int:
        if len(body) < len(batch()):
            raise OSError(28, "No space left on device")
        return write(descriptor, body[: len(body) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(Refused) as refused:
        partition.append(batch(), 10_000)
    assert refused.value.code is Code.KAFKA_STORAGE_ERROR
    monkeypatch.undo()
    assert partition.append(batch(), 10_000) == 1
    partition.synced(partition.sync())
    assert len(partition.read(0, 10_000)) == 2 * len(batch())
    partition.close()
