"""What every format gives: the header, what was found about the file, and its records as batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lastmile.ingestion.batch import RawBatch

#: Records in a batch. Larger ones gain nothing and take more memory; below what a block of delimited text has, blocks
#: would be cut in two, for a fifth more time.
ROWS = 25_000


@dataclass(frozen=True)
class Reader:
    """A drop, opened. `header` is empty for a file without content; then, and for a header only, there are no batches.

    `format` says what was found: format, compression, encoding, delimiter, sheet, lines before the header. A file whose
    first megabytes are plain ASCII has encoding `ascii` until a later batch decides it; read it after the last batch.
    Every frame has exactly the header's columns, in its order.
    """

    format: dict[str, str | int]
    header: list[str]
    produce: Callable[[int], Iterator[RawBatch]] = field(repr=False)

    def batches(self, rows: int = ROWS) -> Iterator[RawBatch]:
        """The records in file order, at most `rows` in a batch; each call starts again at the first.

        Raises Refused or Unreadable where the file turns out to be damaged: then no batch before it may be kept.
        """
        return self.produce(rows)
