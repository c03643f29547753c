"""What becomes of an event depends on the events before it in its partition, not on how messages were cut."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from streamed import SALES, START, STREAM, message, sale

from lastmile.streaming.consumer.batch import Assignment, Batch, Prepared
from lastmile.streaming.consumer.positions import Claimed
from lastmile.streaming.consumer.preparing import Preparation
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.codecs import codec_of
from lastmile.streaming.operators import operators

#: Partition and seconds of each event; None for a message that is none.
Events = list[tuple[int, int | None]]
EVENTS = st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 300)), max_size=40)


def assigned(partitions: int = 3) -> Assignment:
    return Assignment({number: Claimed(number, 1, None, None, None) for number in range(partitions)})


def preparation() -> Preparation:
    return Preparation(STREAM, SALES, codec_of(STREAM, SALES), operators(STREAM, SALES), dedups=False)


def messages(events: Events) -> Messages:
    offsets = [sum(other == partition for other, _ in events[:number]) for number, (partition, _) in enumerate(events)]
    values = [b"{" if at is None else message(sale(number, at)) for number, (_, at) in enumerate(events)]
    return Messages(values, [partition for partition, _ in events], offsets, [-1] * len(events))


def cut(whole: Messages, places: Sequence[int]) -> list[Messages]:
    edges = [0, *sorted({place for place in places if place < len(whole)}), len(whole)]
    return [whole.part(range(start, end)) for start, end in pairwise(edges) if end > start]


def prepared(parts: Sequence[Messages]) -> list[Prepared]:
    made, assignment = preparation(), assigned()
    return [made.prepare(Batch(assignment, part, {}))[0] for part in parts]


def merged(found: Sequence[Prepared]) -> list[tuple]:
    if not found:
        return []
    rows = pl.concat(one.reduced[0] for one in found)
    keyed = rows.group_by("shop", "window_start").agg(
        pl.col("sales").sum(), pl.col("cents").sum(), pl.col("least").min(), pl.col("most").max()
    )
    return sorted(keyed.rows())


def left_out(found: Sequence[Prepared]) -> list[tuple]:
    columns = ("partition", "offset", "rule", "lateness")
    return sorted(row for one in found for row in one.quarantine.select(columns).rows())


def after(found: Sequence[Prepared]) -> dict[int, tuple]:
    return {move.partition: (move.after, move.event_time) for one in found for move in one.moves if move.event_time}


@given(EVENTS, st.lists(st.integers(1, 39), max_size=8))
def test_windows_and_quarantine_do_not_depend_on_the_cuts(events: Events, places: list[int]) -> None:
    whole = messages(events)
    once, cut_up = prepared(cut(whole, ())), prepared(cut(whole, places))
    assert merged(cut_up) == merged(once)
    assert left_out(cut_up) == left_out(once)


@given(EVENTS)
def test_an_event_is_late_by_what_came_before_it_in_its_partition(events: Events) -> None:
    newest: dict[int, int] = {}
    late = []
    offsets: dict[int, int] = {}
    for partition, at in events:
        offset = offsets.setdefault(partition, 0)
        offsets[partition] += 1
        if at is None:
            continue
        floor = newest.get(partition, -1_000) - STREAM.lateness.total_seconds()
        if at < floor:
            late.append((partition, offset, timedelta(seconds=floor - at)))
        newest[partition] = max(newest.get(partition, -1_000), at)
    found = [
        (partition, offset, lateness)
        for partition, offset, rule, lateness in left_out(prepared(cut(messages(events), ())))
        if rule == "late"
    ]
    assert found == sorted(late)


@given(EVENTS, st.dictionaries(st.integers(0, 2), st.integers(0, 20)))
def test_what_was_committed_before_counts_no_more(events: Events, committed: dict[int, int]) -> None:
    whole = messages(events)
    known = {number: Claimed(number, 1, committed.get(number), None, None) for number in range(3)}
    if not len(whole):
        return
    found, _ = preparation().prepare(Batch(Assignment(known), whole, {}))
    kept = [place for place in range(len(whole)) if whole.offsets[place] >= committed.get(whole.partitions[place], 0)]
    rest = prepared([whole.part(kept)] if kept else [])
    assert merged([found]) == merged(rest) or not rest
    assert left_out([found]) == left_out(rest)


def test_a_partition_that_was_idle_is_held_to_the_watermark() -> None:
    made = preparation()
    made.watermark = START + timedelta(seconds=100)
    found, _ = made.prepare(Batch(assigned(), messages([(0, 99), (0, 100)]), {}))
    assert left_out([found]) == [(0, 0, "late", timedelta(seconds=1))]


def test_operators_see_nothing_of_a_batch_without_messages() -> None:
    found, landable = preparation().prepare(Batch(assigned(), messages([]), {}))
    assert (len(found.moves), found.reduced[0].height, landable) == (0, 0, None)


def test_violations_of_events_that_land_are_left_to_the_intake() -> None:
    stream = replace(STREAM, lands=True)
    made = Preparation(stream, SALES, codec_of(stream, SALES), operators(stream, SALES), dedups=False)
    values = [message(sale(1)), message(sale(2, cents=-1)), b"{"]
    found, landable = made.prepare(Batch(assigned(), Messages(values, [0] * 3, [0, 1, 2], [-1] * 3), {}))
    assert found.quarantine["rule"].to_list() == ["message"]
    assert landable is not None
    assert landable.events["sale"].to_list() == ["s000001", "s000002"]
