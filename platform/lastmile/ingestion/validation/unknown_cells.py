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
#: What a member ends with: before another, and as the last of a row.
CLOSING = pl.Series(['",', '"}'])
#: What JSON cannot hold inside quotes as it stands.
ESCAPED = '["\\\\\x00-\x1f]'
Flags = NDArray[np.bool_]


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
    is_kept: Flags

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "UnknownCells":
        """The cells of a frame of one text column or more."""
        texts = frame.unpivot().get_column("value").rechunk()
        return cls(frame.columns, frame.height, texts, (~_are_blank(texts)).reshape(frame.width, frame.height))

    def unfit(self, longest: int, nul_free: bool) -> Unfit:
        """Those that hold a NUL character, or more than `longest` bytes."""
        unfit = self.texts.str.len_bytes() > longest
        if not nul_free:
            unfit |= self.texts.str.contains("\0", literal=True)
        if not unfit.any():
            return Unfit([], pl.repeat(False, self.rows, dtype=pl.Boolean, eager=True))
        flags = unfit.fill_null(False).to_numpy().reshape(self.is_kept.shape)
        columns = np.flatnonzero(flags.any(axis=1)).tolist()
        return Unfit([self.names[column] for column in columns], pl.Series(flags.any(axis=0)))

    def objects(self) -> pl.Series:
        """Per row a JSON object of its cells that are not blank, as text; null where all are."""
        keys = _inside_quotes(pl.Series(self.names, dtype=pl.String))
        opening = pl.concat(['{"' + keys + '":"', '"' + keys + '":"'])
        step = max(1, CELLS // len(self.names))
        parts = [self._objects(opening, first, min(first + step, self.rows)) for first in range(0, self.rows, step)]
        return pl.concat(parts) if parts else pl.Series(dtype=pl.String)

    def _objects(self, opening: pl.Series, first: int, behind: int) -> pl.Series:
        """Of these rows. `opening` is what each column's member begins with: as the first of a row, then as another."""
        row, column = np.nonzero(self.is_kept[:, first:behind].T)
        texts = _inside_quotes(self.texts.gather(column * self.rows + row + first))
        is_first = np.diff(row, prepend=-1) > 0
        is_last = np.append(is_first[1:], True)
        members = pl.concat_str(
            opening.gather(column + np.where(is_first, 0, len(self.names))), texts, CLOSING.gather(is_last)
        )
        return _by_row(pl.select(members).to_series(), np.bincount(row, minlength=behind - first))


def _are_blank(texts: pl.Series) -> Flags:
    """Blank or null. Only what begins with a blank, or with what may be one in Unicode, is looked at in whole."""
    blank = ((texts == "") | texts.is_null()).to_numpy().copy()
    if (may_be := (texts < "!") | (texts >= "\x80")).any():
        places = may_be.fill_null(False).arg_true()
        blank[places.to_numpy()] = (texts.gather(places).str.strip_chars() == "").to_numpy()
    flags: Flags = blank
    return flags


def _inside_quotes(texts: pl.Series) -> pl.Series:
    """The texts as JSON has them between quotes. All are searched at once before each is."""
    if not texts.str.join("").str.contains(ESCAPED).any():
        return texts
    is_escaped = texts.str.contains(ESCAPED)
    escaped = texts.filter(is_escaped).alias("t").to_frame().select(pl.struct("t").struct.json_encode()).to_series()
    return texts.scatter(is_escaped.arg_true(), escaped.str.strip_prefix('{"t":"').str.strip_suffix('"}'))


def _by_row(members: pl.Series, counts: NDArray[np.intp]) -> pl.Series:
    """The members of each row as one text: the first row has so many of them, and so on; null where it has none.

    They already lie in memory one after another, so only where each row begins is new.
    """
    import pyarrow as pa

    offsets, data = members.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()[1:]
    begins = np.frombuffer(offsets, np.int64)[np.append(0, np.cumsum(counts))]
    rows = pa.LargeStringArray.from_buffers(len(counts), pa.py_buffer(begins), data)
    return pl.Series("", pl.from_arrow(rows)).replace("", None)
