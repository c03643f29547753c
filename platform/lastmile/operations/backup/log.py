"""The database's archived log (WAL): segments of 16 MB, whole ones once, and the end of the log anew as it grows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lastmile.operations.backup.repository import Kept, Repository

LOG = "log"
SEGMENT_BYTES = 16 * 2**20
PARTIAL = ".partial"
HISTORY = ".history"
_DIGITS = 8


@dataclass(frozen=True)
class Archived:
    """The archived log: keys by segment; `ends` has those of segments that were not full yet; `histories` says where
    timelines begin. `until` is when the newest part was stored."""

    segments: Mapping[str, str]
    ends: Mapping[str, str]
    histories: Mapping[str, str]
    until: datetime | None

    def from_segment(self, first: str) -> list[str]:
        """Segments from that one on, as far as none is missing, by timeline."""
        there = {*self.segments, *self.ends}
        timeline, place = first[:_DIGITS], first[_DIGITS:]
        return sorted(name for name in there if name[:_DIGITS] >= timeline and name[_DIGITS:] >= place)

    def key(self, segment: str) -> str:
        return self.segments.get(segment) or self.ends[segment]

    def gaps(self, first: str) -> list[str]:
        """Segments that are missing between that one and the newest."""
        numbers = {number_of(name) for name in self.from_segment(first)}
        if not numbers:
            return []
        return [
            segment(int(first[:_DIGITS], 16), number)
            for number in range(number_of(first), max(numbers))
            if number not in numbers
        ]


def archived(repository: Repository) -> Archived:
    segments: dict[str, str] = {}
    ends: dict[str, Kept] = {}
    histories: dict[str, str] = {}
    until: datetime | None = None
    for kept in repository.list(f"{LOG}/"):
        name = kept.name.rpartition("/")[2]
        until = max(until or kept.modified_at, kept.modified_at)
        if name.endswith(HISTORY):
            histories[name] = kept.key
        elif name.endswith(PARTIAL):
            _newest(ends, name.removesuffix(PARTIAL), kept)
        else:
            segments[name] = kept.key
    return Archived(segments, {name: kept.key for name, kept in ends.items()}, histories, until)


def upload(repository: Repository, file: Path, name: str) -> str:
    """Archive a segment, the end of one, or a history; its key."""
    return repository.put(folder_of(name) + name, file.read_bytes())


def folder_of(name: str) -> str:
    return f"{LOG}/{name[:_DIGITS]}/"


def segment(timeline: int, number: int) -> str:
    """The name of the segment of that number."""
    return f"{timeline:08X}{number >> 8:08X}{number & 0xFF:08X}"


def number_of(name: str) -> int:
    return (int(name[8:16], 16) << 8) + int(name[16:24], 16)


def segment_at(timeline: int, place: str) -> str:
    """The segment that has this place of the log, such as 0/2000028."""
    return segment(timeline, bytes_at(place) // SEGMENT_BYTES)


def segment_after(timeline: int, place: str) -> str:
    """The first segment that begins at this place or later: a backup that ends there holds all before it."""
    return segment(timeline, (bytes_at(place) - 1) // SEGMENT_BYTES + 1)


def bytes_at(place: str) -> int:
    high, low = place.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def place_of(number: int) -> str:
    """The place at which a segment begins."""
    start = number * SEGMENT_BYTES
    return f"{start >> 32:X}/{start & 0xFFFFFFFF:X}"


def _newest(ends: dict[str, Kept], name: str, kept: Kept) -> None:
    if name not in ends or kept.modified_at > ends[name].modified_at:
        ends[name] = kept
