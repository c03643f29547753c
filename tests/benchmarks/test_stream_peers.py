"""The events of the benchmark of streams are what it says they are, and its windows those of plain Python."""

import json
from collections import Counter
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stream_peers.events import BYTES, LAST, Events, arrow, lines
from benchmarks.stream_peers.latency import Seen


def sent(events: Events) -> list[tuple[int, dict[str, object]]]:
    """Partition and event of each line."""
    return [
        (partition, json.loads(line))
        for frame in events.frames()
        for line, partition in zip(lines(frame), frame["_partition"], strict=True)
    ]


@given(st.integers(1, 3_000), st.sampled_from([1, 4, 24]))
def test_windows_are_those_of_the_events_that_are_sent(count: int, partitions: int) -> None:
    numbers, sums = Counter[tuple[object, datetime]](), Counter[tuple[object, datetime]]()
    events = Events(count, partitions)
    for _, event in sent(events):
        window = (event["key"], datetime.fromisoformat(str(event["at"])).replace(second=0, microsecond=0))
        numbers[window] += 1
        sums[window] += int(str(event["cents"]))
    found = {(key, at): (n, cents) for key, at, n, cents in events.windows().iter_rows()}
    assert found == {window: (numbers[window], sums[window]) for window in numbers}


@given(st.integers(1, 2_000))
def test_a_key_is_in_one_partition_and_in_the_order_of_its_time(count: int) -> None:
    newest: dict[object, tuple[int, str]] = {}
    for partition, event in sent(Events(count, 24)):
        before = newest.get(event["key"], (partition, ""))
        assert before[0] == partition
        assert before[1] <= str(event["at"])
        newest[event["key"]] = (partition, str(event["at"]))


def test_an_event_is_two_hundred_bytes_however_large_its_numbers_are() -> None:
    events = Events(1_000_000, 24)
    for frame in (next(events.frames()), events.last(23)):
        assert {len(line) for line in lines(frame.head(200))} == {BYTES}
    assert json.loads(lines(events.last(3))[0])["key"] == LAST


def test_an_envelope_has_the_same_events() -> None:
    import pyarrow as pa

    frame = next(Events(1_000, 4).frames())
    found = pl.DataFrame(pa.ipc.open_stream(arrow(frame)).read_all())
    assert isinstance(found, pl.DataFrame)
    assert found.drop("agent").equals(frame.drop("_partition"))


def test_the_latency_of_an_event_is_the_time_until_as_many_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    for at, count in ((10.0, 0), (10.5, 900), (11.0, 2_100), (11.5, 2_100), (12.0, 3_000)):
        monkeypatch.setattr("time.time", lambda at=at: at)
        seen.note(count)
    produced = [10.2, 10.4, 10.6]
    assert seen.latencies(produced) == pytest.approx([11.0 - 10.2, 11.0 - 10.4, 12.0 - 10.6])
