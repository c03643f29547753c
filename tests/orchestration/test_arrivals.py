"""A drop that arrives is noticed at once; where that cannot be, the sensors look as often as they would without."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import boto3
import psutil
import pytest

from lastmile.orchestration.runs.arrivals import UNWATCHED_SECONDS, follow
from lastmile.orchestration.runs.pace import SENSORS, Pace
from lastmile.settings import Settings
from lastmile.store import open_store, watching

#: Within which a drop must be noticed.
SECONDS = 2.0


class Heard(Pace):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.woken, self.every = Event(), [None]

    def wake(self, *loops: str) -> None:
        assert loops == (SENSORS,)
        self.woken.set()

    def look_at_least(self, loop: str, every_seconds: float | None) -> None:
        assert loop == SENSORS
        self.every.append(every_seconds)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(watching, "_SAME_MS", 300)


def following(store, queue=None) -> Heard:
    pace = Heard()
    Thread(target=follow, args=(pace, store, queue, 0.2), daemon=True).start()
    return pace


def watched(pace: Heard) -> None:
    """Wait until the watch is there, and forget its first word."""
    until(lambda: pace.every[-1] is None and len(pace.every) > 1)
    time.sleep(0.3)
    pace.woken.clear()


def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def folder(home) -> Path:
    return Path(home, "store", "landing")


def test_a_drop_in_a_folder_is_noticed_at_once(store, folder):
    pace = following(store)
    watched(pace)
    store.put("landing/visits/2020/a.csv", b"1")
    assert pace.woken.wait(SECONDS)
    time.sleep(0.5)
    pace.woken.clear()
    (folder / "visits" / "2020" / "b.csv").write_text("moved in, or written by hand")
    assert pace.woken.wait(SECONDS)


def test_what_is_written_elsewhere_in_the_store_wakes_nothing(store):
    pace = following(store)
    watched(pace)
    store.put("cleaned/visits/part.parquet", b"1")
    assert not pace.woken.wait(1.0)


def test_a_watch_whose_folder_is_replaced_is_made_anew(store, folder):
    pace = following(store)
    watched(pace)
    shutil.rmtree(folder)
    folder.mkdir(parents=True)
    until(lambda: UNWATCHED_SECONDS in pace.every[2:] and pace.every[-1] is None)
    pace.woken.clear()
    time.sleep(0.5)
    pace.woken.clear()
    (folder / "late.csv").write_text("1")
    assert pace.woken.wait(SECONDS)


def test_where_a_watch_cannot_be_had_the_sensors_look_often_until_it_can(store, monkeypatch, caplog):
    from watchfiles import main

    real = main.RustNotify

    def refused(*_, **__):
        raise OSError("OS file watch limit reached.")

    monkeypatch.setattr(main, "RustNotify", refused)
    pace = following(store)
    until(lambda: len(pace.every) > 4)
    assert {*pace.every[1:]} == {UNWATCHED_SECONDS}
    assert [record.getMessage() for record in caplog.records].count(caplog.records[0].getMessage()) == 1
    assert "watch limit" in caplog.text
    monkeypatch.setattr(main, "RustNotify", real)
    watched(pace)
    store.put("landing/visits/2020/a.csv", b"1")
    assert pace.woken.wait(SECONDS)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "virtiofs"])
def test_a_folder_that_another_machine_can_write_is_not_trusted_to_say_so(store, folder, monkeypatch, kind):
    """Mounted over all of the landing area, or over some of it."""
    for place in (folder.parent, folder / "visits"):
        mounts = [partition("/", "ext4"), partition(str(place), kind)]
        monkeypatch.setattr(psutil, "disk_partitions", lambda mounts=mounts, **_: mounts)
        pace = Heard()
        follow(pace, store, None)
        assert pace.every[-1] == UNWATCHED_SECONDS


def partition(place: str, kind: str):
    return type("Mount", (), {"mountpoint": place, "fstype": kind})


def test_a_bucket_without_notifications_is_looked_at_as_often_as_ever(tmp_path):
    bucket = open_store(Settings(tmp_path, None, "memory://", "assets"))
    pace = Heard()
    follow(pace, bucket, None)
    assert pace.every[-1] == UNWATCHED_SECONDS


@contextmanager
def a_queue() -> Iterator[tuple[object, str]]:
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="arrivals")["QueueUrl"]
    yield client, url
    client.delete_queue(QueueUrl=url)


def test_a_notification_is_noticed_at_once_and_left_in_the_queue_for_the_sensor(store, s3_store_url):
    with a_queue() as (client, queue):
        pace = following(store, queue)
        time.sleep(1.0)
        pace.woken.clear()
        client.send_message(QueueUrl=queue, MessageBody="{}")
        assert pace.woken.wait(SECONDS + 1)
        assert pace.every[-1] is None
        assert client.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "{}"


def test_a_queue_that_cannot_be_read_is_made_good_by_looking_often(store, s3_store_url):
    pace = following(store, "http://127.0.0.1:9/queue")
    until(lambda: pace.every[1:] and pace.every[-1] == UNWATCHED_SECONDS)
    time.sleep(0.5)
    assert {*pace.every[1:]} == {UNWATCHED_SECONDS}
