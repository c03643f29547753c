"""Which columns tell rows apart: the smallest set whose values no two rows share, up to three columns.

Sets are looked for in a sample spread over all rows, of bounded size. What is unique there is checked on every row by
hashes of 64 bits, which lie in a file: two rows of ten million have the same by chance once in 400,000 drafts, and then
a key is missed, never a wrong one proposed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import prod
from tempfile import TemporaryFile
from typing import IO, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: Cells of the sample, columns that may be part of a key, and sets checked on every row.
CELLS, COLUMNS, CANDIDATES = 4_000_000, 12, 6
#: Pairs of equal rows to be expected by chance, for it to mean something that there are none.
BY_CHANCE = 3
#: The column of a frame that says which partition its rows are of.
PARTITION = "__partition"
#: Hashes sorted at once.
AT_ONCE = 8_000_000
Numbers = NDArray[np.uint64]


@dataclass
class KeySample:
    """Hashes of the cells of every n-th row, n doubling when there are too many of them."""

    stride: int = 1
    seen: int = 0
    frames: list[pl.DataFrame] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        first = -self.seen % self.stride
        self.seen += frame.height
        self.frames.append(frame.gather_every(self.stride, first).select(pl.all().hash()))
        if sum(part.height * part.width for part in self.frames) > CELLS:
            whole = pl.concat(self.frames, how="diagonal")
            self.frames, self.stride = [whole.gather_every(2)], self.stride * 2

    def candidates(self, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """The smallest sets of these columns that are unique in the sample, then some with a column more.

        Rows of different partitions are apart anyway. Columns that are likelier part of a key come first.
        """
        present = [PARTITION, *columns[:COLUMNS]]
        rows = pl.concat(self.frames, how="diagonal").select(present) if self.frames else pl.DataFrame()
        if rows.height < 2:
            return []
        found: list[tuple[str, ...]] = []
        for size in (1, 2, 3):
            found += [names for names in combinations(present[1:], size) if _is_unique(rows, names)]
            if found:
                break
        larger = [(*found[0], name) for name in present[1:] if name not in found[0]] if found else []
        return [*found, *(names for names in larger if len(names) <= 3)][:CANDIDATES]


def _is_unique(rows: pl.DataFrame, names: Sequence[str]) -> bool:
    """Whether no two rows have the same values, where chance alone would have given some."""
    if len(names) > 1:
        combinations_of_values = prod(rows[name].n_unique() for name in names) * rows[PARTITION].n_unique()
        if rows.height**2 < 2 * BY_CHANCE * combinations_of_values:
            return False
    return int(rows.select(pl.struct(PARTITION, *names).n_unique()).item()) == rows.height


class Hashes:
    """Hashes of all rows under some columns, to find whether two are equal."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115  (until the end of the context)
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, frame: pl.DataFrame) -> None:
        hashes = frame.select(pl.struct(PARTITION, *self.columns).hash()).to_series().to_numpy()
        self._file.write(hashes.tobytes())
        self._rows += len(hashes)

    def are_unique(self) -> bool:
        """Looks at the hashes in parts by their first bits, so that memory stays bounded."""
        if not self._rows:
            return True
        self._file.flush()
        hashes = np.memmap(self._file, np.uint64, mode="r", shape=(self._rows,))
        parts = 1 << max(0, (self._rows // AT_ONCE).bit_length())
        return all(len(np.unique(part)) == len(part) for part in _parts(hashes, parts))


def _parts(hashes: Numbers, parts: int) -> Iterator[Numbers]:
    for part in range(parts):
        yield hashes[hashes % np.uint64(parts) == part]
