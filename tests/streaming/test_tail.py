"""Following access logs: through rotation of every kind and deaths of the process, each line is sent once."""

import gzip
import json
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka_broker import RunningBroker

from lastmile.client import Producer
from lastmile.streaming.declarations.connectors import LogFiles
from lastmile.streaming.tail.combined import parsed
from lastmile.streaming.tail.following import Following
from lastmile.streaming.tail.positions import Positions

LOG = LogFiles(name="shop", description="The shop's log.", owner="team:shop", stream="access_log")


def line(number: int) -> str:
    return f'10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /{number} HTTP/1.1" 200 {number} "-" "agent"\n'


class Tail:
    """A following of files in `folder`, in a thread; `die` leaves it as a death would."""

    def __init__(self, servers: str, topic: str, folder: Path, *files: str, linger_seconds: float = 0.5) -> None:
        self._positions = Positions(folder / "state" / "positions.json")
        self._producer = Producer(servers, topic, folder / "state" / "journal", discard=True)
        self._following = Following(LOG, files, self._positions, self._producer, linger_seconds)
        self._thread = threading.Thread(target=self._following.run)

    def __enter__(self) -> "Tail":
        self._thread.start()
        return self

    def die(self) -> None:
        """Nothing more is noted of what was sent."""
        self._positions.save = lambda: None  # type: ignore[method-assign]
        self._following.stop()
        self._thread.join()
        self._producer.close(0.0)

    def __exit__(self, *_: object) -> None:
        self._following.stop()
        self._thread.join()
        self._producer.close()


def sent(kafka: RunningBroker, topic: str) -> list[dict]:
    consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": "watermarks"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.close()
    return [json.loads(one.value()) for one in kafka.read(topic, end)]


def numbers(kafka: RunningBroker, topic: str) -> list[int]:
    return [event["bytes"] for event in sent(kafka, topic)]


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def topic(kafka: RunningBroker) -> str:
    return kafka.new_topic()


@contextmanager
def following(kafka: RunningBroker, topic: str, folder: Path, *files: str, **more: float) -> Iterator[Tail]:
    with Tail(kafka.servers, topic, folder, *(str(folder / one) for one in files), **more) as tail:
        yield tail


def test_a_line_in_the_combined_format_is_parsed() -> None:
    event = parsed(
        r'::1 - ada [17/May/2015:23:05:03 -0330] "GET /a%20b?q=\"x\" HTTP/1.1" 304 - "http://x.org/" "Agent \"5\" (\\)"'
    )
    assert event == {
        "client_ip": "::1",
        "user_name": "ada",
        "at": "2015-05-17T23:05:03-03:30",
        "method": "GET",
        "path": r"/a%20b?q=\"x\"",
        "protocol": "HTTP/1.1",
        "status": 304,
        "bytes": None,
        "referrer": "http://x.org/",
        "user_agent": r"Agent \"5\" (\\)",
    }


def test_a_request_that_is_none_stays_as_it_is_and_the_common_format_is_read() -> None:
    event = parsed(r'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "\x16\x03\x01" 400 226')
    assert (event["method"], event["path"], event["user_agent"]) == (None, r"\x16\x03\x01", None)
    assert parsed('1.2.3.4 - - [17/May/2015:10:05:03 +0000] "-" 408 - "-" "-"')["path"] is None


@pytest.mark.parametrize("text", ["", "hello", line(1)[:-10], line(1).replace("May", "Mai"), line(1) + "more"])
def test_what_is_no_such_line_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parsed(text)


def test_every_line_of_the_real_log_is_parsed_but_the_one_that_is_cut_short(shared_data: Path) -> None:
    lines = (shared_data / "logs_web_apache" / "apache_logs").read_text().splitlines()
    events, faults = [], []
    for text in lines:
        try:
            events.append(parsed(text))
        except ValueError as error:
            faults.append(str(error))
    assert (len(events), faults) == (
        9_999,
        ["expected a line of an access log in the combined format (a quote is not closed)"],
    )
    sizes = [int(size) for text in lines if (size := text.split('"')[2].split()[1]) != "-"]
    assert sum(event["bytes"] or 0 for event in events) == sum(sizes) - _of_cut(lines)


def test_lines_are_sent_as_they_are_added_and_a_part_of_one_waits(
    kafka: RunningBroker, topic: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(0) + line(1))
    with following(kafka, topic, tmp_path, "access.log"), log.open("a") as file:
        until(lambda: len(sent(kafka, topic)) == 2)
        file.write(line(2)[:20])
        file.flush()
        time.sleep(0.6)
        assert len(sent(kafka, topic)) == 2
        file.write(line(2)[20:])
        file.flush()
        until(lambda: len(sent(kafka, topic)) == 3)
    assert numbers(kafka, topic) == [0, 1, 2]
    assert len({event["line_id"] for event in sent(kafka, topic)}) == 3


def test_a_line_that_is_none_is_sent_with_what_is_wrong(kafka: RunningBroker, topic: str, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(b"no \xff line\0\n" + line(1).encode())
    with following(kafka, topic, tmp_path, "access.log"):
        until(lambda: len(sent(kafka, topic)) == 2)
    broken, _ = sent(kafka, topic)
    assert (broken["line"], "combined format" in broken["fault"]) == ("no \\xff line\\0", True)


def test_a_file_that_is_renamed_is_read_to_its_end_before_and_after_the_new_one_began(
    kafka: RunningBroker, topic: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(0))
    with following(kafka, topic, tmp_path, "access.log", linger_seconds=1.0), log.open("a") as old:
        until(lambda: len(sent(kafka, topic)) == 1)
        log.rename(tmp_path / "access.log.1")
        log.write_text(line(1))
        old.write(line(2))  # who writes has not noticed yet
        old.flush()
        until(lambda: len(sent(kafka, topic)) == 3)
        old.write(line(3).rstrip("\n"))  # never ended
        old.flush()
        until(lambda: len(sent(kafka, topic)) == 4)
    assert sorted(numbers(kafka, topic)) == [0, 1, 2, 3]


def test_a_file_that_was_copied_and_emptied_is_read_from_its_copy_where_it_was_not_yet(
    kafka: RunningBroker, topic: str, tmp_path: Path
) -> None:
    log, copy = tmp_path / "access.log", tmp_path / "access.log.1"
    log.write_text("".join(map(line, range(3))))
    with following(kafka, topic, tmp_path, "access.log"):
        until(lambda: len(sent(kafka, topic)) == 3)
    with log.open("a") as file:
        file.write(line(3))  # while none follows
    shutil.copy(log, copy)
    os.truncate(log, 0)
    with log.open("a") as file:
        file.write("".join(map(line, range(4, 9))))  # longer than before
    with following(kafka, topic, tmp_path, "access.log"):
        until(lambda: len(sent(kafka, topic)) == 9)
        shutil.copy(log, tmp_path / "access.log.2")
        os.truncate(log, 0)
        with log.open("a") as file:
            file.write(line(9))
        until(lambda: len(sent(kafka, topic)) == 10)
        time.sleep(1.0)
    assert sorted(numbers(kafka, topic)) == list(range(10))


def test_compressed_files_of_earlier_days_are_left_alone(kafka: RunningBroker, topic: str, tmp_path: Path) -> None:
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(line(7).encode()))
    (tmp_path / "access.log.1").write_text(line(1))
    (tmp_path / "access.log").write_text(line(2))
    with following(kafka, topic, tmp_path, "access.log*"):
        until(lambda: len(sent(kafka, topic)) == 2)
        time.sleep(0.6)
    assert sorted(numbers(kafka, topic)) == [1, 2]


def test_what_kafka_has_not_acknowledged_is_read_again(
    killable_kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lastmile.streaming.tail.following._LAST_SECONDS", 0.1)
    topic, log = killable_kafka.new_topic(), tmp_path / "access.log"
    killable_kafka.kill()
    log.write_text("".join(map(line, range(5))))
    with Tail(killable_kafka.servers, topic, tmp_path, str(log)) as tail:
        until(lambda: tail._producer.metrics.queued == 5)
        time.sleep(1.0)  # longer than positions are not kept
        tail._producer.close(0.0)
    killable_kafka.start()
    with Tail(killable_kafka.servers, topic, tmp_path, str(log)):
        until(lambda: len(sent(killable_kafka, topic)) == 5)
    assert numbers(killable_kafka, topic) == list(range(5))


def test_after_a_death_lines_have_the_ids_that_they_had(kafka: RunningBroker, topic: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(map(line, range(50))))
    tail = Tail(kafka.servers, topic, tmp_path, str(log)).__enter__()
    until(lambda: len(sent(kafka, topic)) == 50)
    tail.die()
    log.rename(tmp_path / "access.log.1")
    log.write_text(line(50))
    with following(kafka, topic, tmp_path, "access.log", "access.log.1"):
        until(lambda: 50 in numbers(kafka, topic))
    by_id: dict[str, int] = {}
    for event in sent(kafka, topic):
        assert by_id.setdefault(event["line_id"], event["bytes"]) == event["bytes"]
    assert sorted(by_id.values()) == list(range(51))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_rotates_and_dies_no_line_is_lost_and_repeated_ones_are_known(
    kafka: RunningBroker, topic: str, tmp_path: Path, seed: int
) -> None:
    """A seeded history of writes, renames, copies and deaths."""
    rng, log, written, moved = random.Random(seed), tmp_path / "access.log", 0, 0
    log.touch()
    tail = Tail(kafka.servers, topic, tmp_path, f"{log}*").__enter__()
    for _ in range(40):
        action = rng.choices(["write", "rename", "copy", "die", "wait"], [12, 2, 2, 2, 4])[0]
        if action == "write":
            with log.open("a") as file:
                count = rng.randint(1, 300)
                file.write("".join(map(line, range(written, written + count))))
                written += count
        elif action in ("rename", "copy"):
            moved += 1
            if action == "rename":
                log.rename(tmp_path / f"access.log.{moved}")
                log.touch()
            else:
                shutil.copy(log, tmp_path / f"access.log.{moved}")
                os.truncate(log, 0)
        elif action == "die":
            tail.die()
            tail = Tail(kafka.servers, topic, tmp_path, f"{log}*").__enter__()
        else:
            time.sleep(rng.random() / 2)
    total = written
    until(lambda: len({one["line_id"] for one in sent(kafka, topic)}) >= total)
    tail.__exit__()
    by_id = {event["line_id"]: event["bytes"] for event in sent(kafka, topic)}
    assert sorted(by_id.values()) == list(range(written))


def _of_cut(lines: list[str]) -> int:
    """The size in the line that is cut short."""
    (cut,) = (text for text in lines if text.count('"') % 2)
    return int(cut.split('"')[2].split()[1])
