"""Events gathered by partition until they are enough for a segment, within a bound of memory.

A partition is landed once its events are many bytes or have waited for long, or when all together are too many. A range
that was decided before a death is landed as soon as it is gathered, and with exactly its events.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from lastmile.streaming.consumer.batch import Assignment
from lastmile.streaming.landing.segments import Segment
from lastmile.streaming.validation import as_texts

#: Of one segment as frames in memory, several times what it has as Parquet; and of all that are gathered.
SEGMENT_BYTES, ALL_BYTES = 24 * 2**20, 64 * 2**20
#: How long an event waits for its segment to be full.
WAIT_SECONDS = 30.0


@dataclass
class _Gathered:
    first: int | None
    behind: int
    decided: Segment | None = None
    frames: list[pl.DataFrame] = field(default_factory=list)
    bytes: int = 0
    since: float = 0.0


@dataclass(frozen=True)
class Ready:
    """What is to be landed: offsets from `first` to before `behind`; `decided` where that was done before."""

    partition: int
    first: int
    behind: int
    events: pl.DataFrame
    decided: Segment | None


class Gathering:
    """What was read of one assignment and is not landed yet."""

    def __init__(self, assignment: Assignment, decided: Mapping[int, Segment], wait: float = WAIT_SECONDS) -> None:
        self.assignment, self._wait = assignment, wait
        self._parts = {
            number: _Gathered(one.landed, one.landed or 0, decided.get(number))
            for number, one in assignment.claimed.items()
        }

    def add(self, events: pl.DataFrame, behind: Mapping[int, int]) -> None:
        """Events in order, and by partition the offset behind the last message looked at."""
        now = time.monotonic()
        firsts = dict(events.group_by("_partition").agg(pl.col("_offset").min()).iter_rows())
        several = len(behind) > 1
        for number, after in behind.items():
            part = self._parts[number]
            if after <= part.behind and part.first is not None:
                continue
            if number in firsts:
                mine = events.filter(pl.col("_partition") == number) if several else events
                mine = mine.filter(pl.col("_offset") >= part.behind) if firsts[number] < part.behind else mine
                if mine.height:
                    part.frames.append(mine)
                    part.bytes += int(mine.estimated_size())
            if part.first is None:
                part.first = firsts.get(number, after - 1)
            part.since = part.since or now
            part.behind = after

    def ready(self, everything: bool = False) -> Iterator[Ready]:
        """What is to be landed now, or all there is."""
        now = time.monotonic()
        for number, part in self._parts.items():
            if part.decided is not None and part.behind > part.decided.last_offset:
                yield self._cut(number, part, part.decided.last_offset + 1)
            due = part.since and (part.bytes >= SEGMENT_BYTES or now - part.since >= self._wait)
            if part.since and part.decided is None and (due or everything):
                yield self._cut(number, part, part.behind)
        while sum(part.bytes for part in self._parts.values()) > ALL_BYTES:
            free = {number: part for number, part in self._parts.items() if part.decided is None}
            if not free:
                return
            number, part = max(free.items(), key=lambda pair: pair[1].bytes)
            yield self._cut(number, part, part.behind)

    def _cut(self, number: int, part: _Gathered, behind: int) -> Ready:
        events = _together(part.frames)
        rest = events.filter(pl.col("_offset") >= behind)
        first, decided = part.first, part.decided
        part.first, part.decided = behind, None
        part.frames = [rest] if rest.height else []
        part.bytes = int(rest.estimated_size())
        part.since = time.monotonic() if part.behind > behind else 0.0
        return Ready(number, first or 0, behind, events.filter(pl.col("_offset") < behind), decided)


def _together(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The frames as one; columns that are of different types in them as text."""
    if not frames:
        return pl.DataFrame(schema={"_offset": pl.Int64})
    if all(frame.schema == frames[0].schema for frame in frames):
        return pl.concat(frames)
    types: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            types.setdefault(name, set()).add(dtype)
    mixed = any(len(found) > 1 for found in types.values())
    return pl.concat([as_texts(frame) for frame in frames] if mixed else frames, how="diagonal")
