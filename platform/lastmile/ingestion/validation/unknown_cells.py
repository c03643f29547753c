"""Cells of columns that the contract does not declare, as JSON, at a cost that grows with the cells and nothing else.

A wide survey has thousands of such columns. An expression for each costs more than its cells do, so all of them are
laid end to end, column after column, and turned into members of JSON objects by a few steps over the whole.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: Cells turned into members at a time: bounds memory, some 150 bytes a cell meanwhile.
CELLS = 250_000
#: What JSON cannot hold inside quotes as it stands.
ESCAPED = '["\\\\\x00-\x1f]'


class Unfit(NamedTuple):
    """The columns that have cells which may not be loaded, and which of the rows have any."""

    columns: list[str]
    rows: pl.Series


@dataclass(frozen=True)
class UnknownCells:
    """The `texts` of columns of `rows` cells each; `is_kept` (column, row) tells those that are not blank."""

    names: list[str]
    rows: int
    texts: pl.Series
    is_kept: NDArray[np.bool_]

    @classmethod
    def of(cls, frame: pl.DataFrame, names: list[str]) -> "UnknownCells":
        """The cells of a frame of one text column or more, which are called by these names."""
        texts = pl.concat([column.alias("") for column in frame.iter_columns()], rechunk=True)
        is_kept = (texts.str.strip_chars() != "").fill_null(False).to_numpy()
        return cls(names, frame.height, texts, is_kept.reshape(frame.width, frame.height))

    def unfit(self, longest: int, nul_free: bool) -> "Unfit":
        """Those that hold a NUL character, or more than `longest` bytes."""
        unfit = self.texts.str.len_bytes() > longest
        if not nul_free:
            unfit |= self.texts.str.contains("\0", literal=True)
        if not unfit.any():
            return Unfit([], pl.repeat(False, self.rows, dtype=pl.Boolean, eager=True))
        flags = unfit.fill_null(False).to_numpy().reshape(self.is_kept.shape)
        columns = np.flatnonzero(flags.any(axis=1)).tolist()
        return Unfit([self.names[column] for column in columns], pl.Series(flags.any(axis=0)))

    def members(self) -> pl.Series:
        """Per row `"name":"text"` of each cell that is not blank, joined by commas; null where all are blank."""
        keys = '"' + _inside_quotes(pl.Series(self.names, dtype=pl.String)) + '":"'
        step = max(1, CELLS // len(self.names))
        parts = [self._members(keys, first, min(first + step, self.rows)) for first in range(0, self.rows, step)]
        return pl.concat(parts) if parts else pl.Series(dtype=pl.String)

    def _members(self, keys: pl.Series, first: int, behind: int) -> pl.Series:
        row, column = np.nonzero(self.is_kept[:, first:behind].T)
        texts = self.texts.gather(column * self.rows + row + first)
        members = pl.select(pl.concat_str(keys.gather(column), _inside_quotes(texts), pl.lit('",'))).to_series()
        return _joined(members, np.bincount(row, minlength=behind - first))


def _inside_quotes(texts: pl.Series) -> pl.Series:
    """The texts as JSON has them between quotes."""
    if not (is_escaped := texts.str.contains(ESCAPED)).any():
        return texts
    escaped = texts.filter(is_escaped).alias("t").to_frame().select(pl.struct("t").struct.json_encode()).to_series()
    return texts.scatter(is_escaped.arg_true(), escaped.str.strip_prefix('{"t":"').str.strip_suffix('"}'))


def _joined(members: pl.Series, counts: NDArray[np.intp]) -> pl.Series:
    """Members, each with a comma behind it, as one text per row: the first has so many of them, and so on.

    They already lie in memory one after another, so only where each row begins is new.
    """
    import pyarrow as pa

    offsets, data = members.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[1:]
    begins = np.frombuffer(offsets, np.int64)[np.append(0, np.cumsum(counts))]
    rows = pl.Series("", pl.from_arrow(pa.LargeStringArray.from_buffers(len(counts), pa.py_buffer(begins), data)))
    return pl.select(pl.when(rows != "").then(rows.str.strip_suffix(","))).to_series()
