"""What a draft is made from: anything that gives records as text under a header, as often as it is asked to.

A file, a table of a database and a sample of a stream are drafted alike. What a source shows of its own form (no
header, encoding, sheet) it gives as a `Form`, which becomes part of the contract.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from lastmile.contracts import Contract
from lastmile.contracts.partition import Unit
from lastmile.ingestion.batch import RawBatch
from lastmile.ingestion.readers import Reader
from lastmile.ingestion.readers.cells import raw_rows


@dataclass(frozen=True)
class Form:
    """What of a file cannot be known without it: whether it has a header, its encoding, its sheet."""

    headerless: bool = False
    encoding: str | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class Source:
    """Records under one header. `open` reads them as a contract says, from the first on at each call.

    `name` is a path or the like, in which a partition may be written; `left_out` are columns that cannot be declared.
    """

    name: str
    header: Sequence[str]
    open: Callable[[Contract], Reader]
    form: Form = Form()
    left_out: Sequence[str] = ()
    #: Headers that tell the rows apart, where the source says so.
    key: Sequence[str] = ()
    #: How it is cut in time, where its drops are no files that say so; the dates of a row then bind it to no drop.
    unit: Unit | None = None
    #: Whether a row is an event, which has a time: a moment that all rows have is required, however few they are.
    timed: bool = False


def of_frames(name: str, header: Sequence[str], frames: Callable[[], Iterable[pl.DataFrame]]) -> Source:
    """A source of frames whose columns are all text and named as the header; lines are counted from 1."""

    def produce(rows: int) -> Iterable[RawBatch]:
        first = 1
        for frame in frames():
            for part in frame.iter_slices(rows):
                lines = pl.Series("line", range(first, first + part.height), pl.UInt64)
                yield RawBatch(part, lines, raw_rows(part))
                first += part.height

    return Source(name, header, lambda _: Reader({"format": "frames"}, list(header), lambda rows: iter(produce(rows))))
