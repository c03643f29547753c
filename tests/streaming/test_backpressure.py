"""However far a stream is behind, and however long Postgres does not answer: what lies in memory stays bounded."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from streamed import Shop, sale

from lastmile.streaming.consumer import group, reading
from lastmile.streaming.consumer.batch import Batch
from lastmile.streaming.consumer.reading import Reader

#: Between reading and preparing, between preparing and committing, and one at each step.
MOST_BATCHES = 2 + 2 + 3


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that were read."""
    found: list[int] = []
    given = Reader.batches

    def noted(self: Reader, *arguments: object) -> Iterator[Batch]:
        for batch in given(self, *arguments):
            found.append(len(batch.messages))
            yield batch

    monkeypatch.setattr(reading.Reader, "batches", noted)
    return found


def test_a_process_that_cannot_commit_reads_no_further(
    shop: Shop, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "MOST_MESSAGES", 50)
    shop.send(sale(0))
    assert shop.read() == 1
    shop.send(*(sale(number, 1) for number in range(2_000)))
    batches.clear()
    with psycopg.connect(shop.database_url) as blocking:
        blocking.execute("SELECT * FROM streams.positions FOR UPDATE")
        running = shop.running(until_caught_up=True)
        thread = threading.Thread(target=running.run)
        thread.start()
        time.sleep(1)
        blocking.rollback()  # for the claim
        until(lambda: batches)
        blocking.execute("SELECT * FROM streams.positions FOR UPDATE")
        before = len(batches)
        time.sleep(3)
        assert len(batches) - before <= MOST_BATCHES
        assert running.events < 2_000
        blocking.rollback()
    thread.join(60)
    assert running.events == 2_000
    assert sum(row["sales"] for row in shop.windows()) == 2_001


def test_a_read_is_bounded_by_the_bytes_of_its_messages(
    shop: Shop, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "MOST_BYTES", 1_000_000)
    shop.send(*(sale(number, note="x" * 100_000) for number in range(60)))
    assert shop.read() == 60
    assert max(batches) <= 11


def until(holds: object) -> None:
    deadline = time.monotonic() + 30
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
