"""What a kind of source does in a run: records from where it begins, into a file that is then landed as it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lastmile.sources.declarations.changes import Changes
from lastmile.sources.declarations.database import Database
from lastmile.sources.declarations.rest import Rest
from lastmile.sources.declarations.source import Source

#: Of a run, so many events are kept.
_MOST_EVENTS = 100
#: Called with the requests, records and bytes so far.
Progress = Callable[[int, int, int], None]
#: Of digests of records, one after another, which were landed before.
Known = Callable[[bytes], NDArray[np.bool_]]


@dataclass
class Report:
    """What a run says of itself while it is at work."""

    progress: Progress = lambda requests, records, size: None
    requests: int = 0
    events: list[str] = field(default_factory=list)
    left_out: int = 0

    def event(self, sentence: str) -> None:
        """Something that a person wants to know of."""
        if len(self.events) < _MOST_EVENTS:
            self.events.append(sentence)
        else:
            self.left_out += 1

    def all_events(self) -> list[str]:
        return [*self.events, *([f"and {self.left_out} more"] if self.left_out else [])]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be fetched: from `begin` on, None for everything; up to `reached` a record may be landed already."""

    folder: Path
    begin: str | None = None
    reached: str | None = None
    #: No more than so many records are wanted, to look at; None: all.
    most: int | None = None
    known: Known = lambda digests: np.zeros(len(digests) // 8, np.bool_)
    report: Report = field(default_factory=Report)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file of records to be landed with this suffix, and where the next fetch begins after it."""

    file: Path
    suffix: str
    records: int
    repeated: int = 0
    cursor_to: str | None = None
    digests: bytes | None = None


def fetched(source: Source, task: Task) -> Fetched:
    """By what fetches sources of its kind. Raises UserError where it cannot be had as it is declared."""
    if isinstance(source, Rest):
        from lastmile.sources.rest.fetching import fetch

        return fetch(source, task)
    if isinstance(source, Database | Changes):
        from lastmile.sources.databases.fetching import fetch as fetch_rows
        from lastmile.sources.databases.fetching import first_rows

        return fetch_rows(first_rows(source.url, source.table) if isinstance(source, Changes) else source, task)
    raise TypeError(f"no fetcher of a {type(source).__name__}")
