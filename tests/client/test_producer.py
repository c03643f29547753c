"""The producer against a real broker: checked, in order, kept while the broker is away and when it is killed itself."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from kafka_broker import RunningBroker
from prometheus_client.parser import text_string_to_metric_families

from lastmile.client import AsyncProducer, BufferFull, InvalidEvent, Producer, Schema

VIEWS = Schema.json(
    {
        "type": "object",
        "required": ["visitor", "at"],
        "properties": {
            "visitor": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
            "pages": {"type": ["integer", "null"], "minimum": 0},
        },
        "additionalProperties": False,
    }
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def view(number: int) -> dict[str, object]:
    return {"visitor": f"v{number}", "at": NOW, "pages": number}


def messages_of(kafka: RunningBroker, topic: str) -> list[Message]:
    """All there are."""
    consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": "watermarks"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.close()
    return kafka.read(topic, end)


def numbers(kafka: RunningBroker, topic: str) -> list[int]:
    return [json.loads(one.value())["pages"] for one in messages_of(kafka, topic)]


def test_events_arrive_in_their_order_each_with_an_id_of_its_own(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, VIEWS) as producer:
        for number in range(2_000):
            producer.send(view(number), key=f"v{number % 7}")
        assert producer.wait(seconds=30)
        assert (producer.metrics.sent, producer.metrics.queued, producer.metrics.failed) == (2_000, 0, 0)
    messages = messages_of(kafka, topic)
    assert [json.loads(one.value()) for one in messages] == [
        {"visitor": f"v{number}", "at": "2026-03-01T12:00:00Z", "pages": number} for number in range(2_000)
    ]
    assert len({dict(one.headers())["event-id"] for one in messages}) == 2_000
    assert messages[8].key() == b"v1"


def test_an_event_that_does_not_fit_raises_at_once_and_says_each_fault(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, VIEWS) as producer:
        with pytest.raises(InvalidEvent) as raised:
            producer.send({"visitor": 7, "at": "yesterday", "page": "/"})
        for fault in ("visitor: 7 is not of type", "at:", "'page' was unexpected"):
            assert fault in str(raised.value)
        with pytest.raises(InvalidEvent):
            producer.send_many([view(1), {}])
        producer.send(view(2))
        assert producer.wait(seconds=30)
        assert producer.metrics.invalid == 2
    assert numbers(kafka, topic) == [2]


def test_an_event_that_does_not_fit_goes_to_the_dead_letters_where_there_are_any(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    topic, dead = kafka.new_topic(), kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, VIEWS, dead_letters=dead) as producer:
        producer.send_many([view(1), {"visitor": "v", "at": "yesterday"}, view(3)])
    assert numbers(kafka, topic) == [1, 3]
    (letter,) = messages_of(kafka, dead)
    assert json.loads(letter.value()) == {"visitor": "v", "at": "yesterday"}
    headers = dict(letter.headers())
    assert (headers["topic"], b'"yesterday" is not a "date-time"' in headers["reason"]) == (topic.encode(), True)


def test_many_events_are_one_envelope_of_arrow(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, VIEWS, format="arrow", many=100, linger_seconds=1.0) as producer:
        producer.send_many(view(number) for number in range(250))
        assert producer.wait(seconds=30)
        assert producer.metrics.sent == 250
    messages = messages_of(kafka, topic)
    tables = [pa.ipc.open_stream(one.value()).read_all() for one in messages]
    assert [table.num_rows for table in tables] == [100, 100, 50]
    assert [int(dict(one.headers())["events"]) for one in messages] == [100, 100, 50]
    assert pa.concat_tables(tables)["pages"].to_pylist() == list(range(250))
    assert tables[0].schema.field("at").type == pa.string()


def test_columns_with_values_of_several_kinds_are_texts(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, format="arrow") as producer:
        producer.send_many([{"a": 1, "b": "2026-01-01 00:00:00"}, {"a": "x"}, {"a": {"n": [1]}}])
    (message,) = messages_of(kafka, topic)
    rows = pa.ipc.open_stream(message.value()).read_all().to_pylist()
    assert rows == [{"a": "1", "b": "2026-01-01 00:00:00"}, {"a": "x", "b": None}, {"a": '{"n": [1]}', "b": None}]


def test_a_table_is_sent_in_envelopes_no_longer_than_a_message_may_be(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    table = pa.table({"n": range(3_000), "text": [f"{n:01500}" for n in range(3_000)]})
    with Producer(kafka.servers, topic, tmp_path, format="arrow") as producer:
        producer.send_table(table)
        assert producer.wait(seconds=30)
        assert (producer.metrics.sent, producer.metrics.failed) == (3_000, 0)
    messages = messages_of(kafka, topic)
    found = pa.concat_tables(pa.ipc.open_stream(one.value()).read_all() for one in messages)
    assert found["n"].to_pylist() == list(range(3_000))


def test_avro_messages_have_the_frame_of_the_registry(kafka: RunningBroker, tmp_path: Path) -> None:
    schema = {"type": "record", "name": "view", "fields": [{"name": "visitor", "type": "string"}]}
    with _registry("AVRO", json.dumps(schema)) as url:
        of_registry = Schema.of_registry(url, "views-value")
    topic = kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, of_registry, format="avro") as producer:
        producer.send({"visitor": "ada"})
        with pytest.raises(InvalidEvent, match="no fields of the schema: page"):
            producer.send({"visitor": "ada", "page": "/"})
    assert messages_of(kafka, topic)[0].value() == b"\0\0\0\0\x07\x06ada"


def test_what_is_sent_while_the_broker_is_away_arrives_once_and_in_order(
    killable_kafka: RunningBroker, tmp_path: Path
) -> None:
    topic = killable_kafka.new_topic()
    with Producer(killable_kafka.servers, topic, tmp_path / "journal") as producer:
        producer.send_many({"pages": number} for number in range(100))
        assert producer.wait(seconds=30)
        killable_kafka.kill()
        for number in range(100, 1_000):
            producer.send({"pages": number})
        assert not producer.wait(seconds=0.5)
        assert (producer.metrics.queued, producer.metrics.sent) == (900, 100)
        _until(lambda: producer.metrics.problem)
        killable_kafka.start()
        assert producer.wait(seconds=60)
        assert (producer.metrics.queued, producer.metrics.problem) == (0, None)
    assert numbers(killable_kafka, topic) == list(range(1_000))


@pytest.mark.parametrize("format_", ["json", "arrow"])
@pytest.mark.parametrize("away", [False, True], ids=["broker there", "broker away"])
def test_what_was_sent_by_a_killed_process_is_sent_by_the_next(
    killable_kafka: RunningBroker, tmp_path: Path, format_: str, away: bool
) -> None:
    """Everything `send` returned for arrives in order; what arrives twice has the same id."""
    topic, journal = killable_kafka.new_topic(), tmp_path / "journal"
    if away:
        killable_kafka.kill()
    said = _killed_while_it_sends(killable_kafka.servers, topic, journal, format_)
    if away:
        killable_kafka.start()
    with Producer(killable_kafka.servers, topic, journal, format=format_) as producer:
        assert producer.wait(seconds=60)
    by_id: dict[bytes, list[int]] = {}
    for one in messages_of(killable_kafka, topic):
        found = _pages(one.value(), format_)
        assert by_id.setdefault(dict(one.headers())["event-id"], found) == found
    arrived = [number for found in by_id.values() for number in found]
    assert arrived == list(range(len(arrived)))
    assert len(arrived) > said


def test_a_full_journal_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    with Producer("127.0.0.1:1", "nowhere", tmp_path, most_bytes=2_000) as producer:
        producer.send_many({"pages": number} for number in range(50))
        with pytest.raises(BufferFull, match="bytes wait for the broker already, of 2,000 at most"):
            producer.send_many({"pages": number} for number in range(50))
        assert producer.metrics.queued == 50
        assert not producer.close(0.1)


def test_a_message_that_the_broker_refuses_is_kept_in_a_file_and_holds_up_nothing(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    topic = kafka.new_topic(max_message_bytes=1_000)
    with Producer(kafka.servers, topic, tmp_path, client={"compression.type": "none"}) as producer:
        producer.send_many([{"pages": 1}, {"pages": 2, "text": "x" * 5_000}, {"pages": 3}])
        assert producer.wait(seconds=30)
        assert producer.metrics.failed >= 1
    (refused,) = (tmp_path / "refused").iterdir()
    assert json.loads(refused.read_bytes())["pages"] == 2
    assert numbers(kafka, topic) == [1, 3]


def test_an_asyncio_program_waits_without_a_thread(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()

    async def sent() -> tuple[bool, bool]:
        async with AsyncProducer(kafka.servers, topic, tmp_path) as producer:
            places = await asyncio.gather(*(producer.send({"pages": number}) for number in range(50)))
            return await producer.wait(max(places), 30), await producer.wait(producer.producer.end + 1, 0.1)

    assert asyncio.run(sent()) == (True, False)
    assert numbers(kafka, topic) == list(range(50))


def test_prometheus_reads_its_metrics(kafka: RunningBroker, tmp_path: Path) -> None:
    with Producer(kafka.servers, kafka.new_topic(), tmp_path, VIEWS) as producer:
        producer.send_many(map(view, range(10)))
        with pytest.raises(InvalidEvent):
            producer.send({})
        assert producer.wait(seconds=30)
        text, longest = producer.metrics.prometheus(), producer.metrics.duration(1.0)
    found = {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}
    assert (found["lastmile_producer_sent_total"], found["lastmile_producer_invalid_total"]) == (10, 1)
    assert (found["lastmile_producer_queued_events"], found["lastmile_producer_seconds_count"]) == (0, 10)
    assert longest is not None
    assert longest < 30


_SENDER = """
import sys
from pathlib import Path
from lastmile.client import Producer
producer = Producer(sys.argv[1], sys.argv[2], Path(sys.argv[3]), format=sys.argv[4], many=50, linger_seconds=0.01)
number = 0
while True:
    producer.send({"pages": number})
    number += 1
    if number % 100 == 0:
        print(number, flush=True)
"""


def _killed_while_it_sends(servers: str, topic: str, journal: Path, format_: str) -> int:
    """The last number that the process said it had sent."""
    command = [sys.executable, "-c", _SENDER, servers, topic, str(journal), format_]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = 0
    for line in process.stdout:
        said = int(line)
        if said >= 3_000:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    process.wait(30)
    return said - 1


def _pages(value: bytes, format_: str) -> list[int]:
    if format_ == "json":
        return [json.loads(value)["pages"]]
    return pa.ipc.open_stream(value).read_all()["pages"].to_pylist()


def _until(holds: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def _registry(kind: str, text: str) -> Iterator[str]:
    """Address of a registry that has one schema, of number 7."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/subjects/views-value/versions/latest"
            body = json.dumps({"subject": "views-value", "id": 7, "schemaType": kind, "schema": text}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_events_are_produced_from_a_shell(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    command = [sys.executable, "-m", "lastmile.client", "produce", "--servers", kafka.servers, "--topic", topic]
    lines = '{"pages": 1}\nnone\n\n{"pages": 2}\n'
    done = subprocess.run([*command, "--journal", tmp_path], input=lines, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (
        1,
        "2 sent, 0 refused by the broker, 1 lines that are no events, 0 waiting\n",
    )
    assert done.stderr.startswith("line 2: ")
    assert numbers(kafka, topic) == [1, 2]


def test_an_event_without_an_id_gets_one_that_stays(kafka: RunningBroker, tmp_path: Path) -> None:
    topic = kafka.new_topic()
    with Producer(kafka.servers, topic, tmp_path, id_column="event") as producer:
        producer.send_many([{"pages": 1}, {"pages": 2, "event": "mine"}, {"pages": 3, "event": None}])
        assert producer.wait(seconds=30)
    ids = [json.loads(one.value())["event"] for one in messages_of(kafka, topic)]
    assert (len(set(ids)), ids[1]) == (3, "mine")


def test_what_its_source_still_has_is_discarded(tmp_path: Path) -> None:
    with Producer("127.0.0.1:1", "nowhere", tmp_path) as producer:
        producer.send({"pages": 1})
        producer.close(0.0)
    with Producer("127.0.0.1:1", "nowhere", tmp_path, discard=True) as producer:
        assert producer.metrics.queued == 0
        assert producer.wait(seconds=0.0)
