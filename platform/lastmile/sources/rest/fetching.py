"""A run of a REST source: its pages, record by record, into a file of JSON Lines. Memory holds two pages at most.

Records after what is loaded already are new. All others (sent because of the overlap, or because the server does not
heed the cursor) are kept in a second file until it is known which of them were landed before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from lastmile.sources.declarations.incremental import Incremental
from lastmile.sources.declarations.rest import Rest
from lastmile.sources.fetching import Fetched, Task
from lastmile.sources.order import Place
from lastmile.sources.repeats import BYTES, digest
from lastmile.sources.rest.client import Answer, client_of
from lastmile.sources.rest.page import Record, at
from lastmile.sources.rest.paging import pages

SUFFIX = "jsonl"


def fetch(source: Rest, task: Task) -> Fetched:
    """Raises UserError where the API cannot be had as it is declared."""
    file = task.folder / f"records.{SUFFIX}"
    with client_of(source, task.report) as client, file.open("wb") as new:
        answers = pages(source, client, _params(source, task), task.report)
        if source.incremental:
            return _incremental(source.incremental, task, answers, file, new)
        count = 0
        for records in _records(answers, task):
            for record in records:
                new.write(record.line + b"\n")
            count += len(records)
        return Fetched(file=file, suffix=SUFFIX, records=count)


def _params(source: Rest, task: Task) -> dict[str, str]:
    params, declared = dict(source.params), source.incremental
    if declared:
        begin = declared.start if task.begin is None else Place.of(task.begin).before(declared.overlap)
        params |= {declared.parameter: begin} if begin is not None else {}
    return params


def _records(answers: Iterator[Answer], task: Task) -> Iterator[list[Record]]:
    """Page by page, as many as are wanted; the progress is reported."""
    count, size = 0, 0
    for answer in answers:
        wanted = None if task.most is None else task.most - count
        records = list(islice(answer.page.records, wanted))
        count, size = count + len(records), size + answer.size
        task.report.progress(task.report.requests, count, size)
        yield records
        if task.most is not None and count >= task.most:
            return


@dataclass
class _Sorted:
    """Records as they come: those that are new, and those that may have been landed before, which lie in `older`."""

    declared: Incremental
    new: IO[bytes]
    older: IO[bytes]
    reached: Place | None
    #: What was requested, with its overlap.
    begin: Place | None
    top: Place | None = None
    count: int = 0
    digests: bytearray = field(default_factory=bytearray)
    older_digests: bytearray = field(default_factory=bytearray)
    unplaced: int = 0
    ahead: int = 0
    before_begin: int = 0

    def add(self, record: Record) -> None:
        place = _place(at(record.value, self.declared.field))
        is_ahead = place is not None and place.is_ahead()
        if place and not is_ahead and (self.top is None or place.is_after(self.top)):
            self.top = place
        self.unplaced += place is None
        self.ahead += is_ahead
        self.before_begin += bool(place and self.begin and self.begin.is_after(place))
        if place is None or is_ahead or (self.reached and not place.is_after(self.reached)):
            self.older.write(record.line + b"\n")
            self.older_digests += digest(record.line)
        else:
            self.write(record.line + b"\n", digest(record.line))

    def write(self, line: bytes, one: bytes) -> None:
        self.new.write(line)
        self.digests += one
        self.count += 1


def _place(value: Any) -> Place | None:
    if value is None or isinstance(value, bool | dict | list):
        return None
    return Place.of(f"{value:f}" if isinstance(value, Decimal) else str(value))


def _incremental(declared: Incremental, task: Task, answers: Iterator[Answer], file: Path, new: IO[bytes]) -> Fetched:
    reached = Place.of(task.reached) if task.reached is not None else None
    begin = Place.of(Place.of(task.begin).before(declared.overlap)) if task.begin is not None else None
    with (task.folder / "older.jsonl").open("w+b") as older:
        kept = _Sorted(declared, new, older, reached, begin)
        for records in _records(answers, task):
            for record in records:
                kept.add(record)
        repeated = _add_unknown(kept, task)
    _say(kept, task, repeated)
    cursor_to = reached if reached and not (kept.top and kept.top.is_after(reached)) else kept.top
    return Fetched(
        file=file,
        suffix=SUFFIX,
        records=kept.count,
        repeated=repeated,
        cursor_to=cursor_to.text if cursor_to else task.begin,
        digests=bytes(kept.digests),
    )


def _add_unknown(kept: _Sorted, task: Task) -> int:
    """Those of the older records that were never landed; returns how many were."""
    digests = bytes(kept.older_digests)
    if not digests:
        return 0
    numbers = np.frombuffer(digests, np.uint64)
    is_first = np.zeros(len(numbers), np.bool_)
    is_first[np.unique(numbers, return_index=True)[1]] = True
    wanted = is_first & ~task.known(digests)
    kept.older.seek(0)
    for number, line in enumerate(kept.older):
        if wanted[number]:
            kept.write(line, digests[number * BYTES : (number + 1) * BYTES])
    return len(numbers) - int(wanted.sum())


def _say(kept: _Sorted, task: Task, repeated: int) -> None:
    declared, event = kept.declared, task.report.event
    if kept.unplaced:
        event(f"{kept.unplaced:,} records have no {declared.field!r}: each is landed unless it was before")
    if kept.ahead:
        event(f"{kept.ahead:,} records have a {declared.field!r} in the future, to which the cursor does not move")
    if kept.before_begin and kept.begin:
        event(
            f"{kept.before_begin:,} records are from before {kept.begin.text}, which was requested: the server's cursor"
            f" went backwards, or it does not heed {declared.parameter!r}; what was landed before is left out"
        )
    if kept.reached and kept.top and kept.reached.is_after(kept.top):
        event(
            f"the newest record is of {kept.top.text}, before {kept.reached.text}, up to which records are loaded: the"
            " cursor stays there"
        )
    if repeated:
        event(f"{repeated:,} records came again and were landed before")
