"""The cleaned rows of one drop as a Parquet file, written batch by batch at constant memory."""

from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow.parquet as pq


class ParquetFile:
    """An LZ4 Parquet file; every frame written becomes row groups of its own. `rows` counts them.

    All frames have the columns of the first. Without any there is no file, nor after an error: half of the rows must
    never be taken for all.
    """

    #: Rows of a row group at most: what a reader must hold in memory at once.
    ROW_GROUP = 100_000

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
        if self._writer is None:
            # Survey numbers seldom repeat: a dictionary costs twice the time. LZ4 takes half of that, and half as much
            # space again as zstd.
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="lz4", use_dictionary=False)
        self._writer.write_table(table, row_group_size=self.ROW_GROUP)
        self.rows += frame.height

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            if error is not None:
                self._path.unlink()
