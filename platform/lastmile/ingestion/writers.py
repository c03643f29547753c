"""Where validated rows go: the Parquet file of the drop and the table of the dataset. Nothing here commits."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import Connection, sql
from psycopg.errors import ProgramLimitExceeded

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import Refused
from lastmile.quarantine.rows import Kind
from lastmile.warehouse.binary_copy import BinaryCopy
from lastmile.warehouse.drop_tables import DropTable
from lastmile.warehouse.provenance import PROVENANCE

#: Quarantined rows that may be buffered while a COPY is in progress.
MAX_BUFFERED_BYTES = 4 * 2**20

#: Survey numbers seldom repeat: a dictionary doubles the time. LZ4 halves that of zstd at 1.5 times the size.
_ENCODING: Any = {"compression": "lz4", "use_dictionary": False}

#: Rows to quarantine (line, raw, reasons), and what they count as.
Rejected = tuple[pl.DataFrame, Kind]


def as_table(frame: pl.DataFrame) -> pa.Table:
    """The rows as Parquet files have them."""
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())


def small_parquet(table: pa.Table) -> pa.Buffer:
    """A small Parquet file, made in memory and without statistics, which takes two thirds of the time."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, write_statistics=False, **_ENCODING) as writer:
        writer.write_table(table)
    return sink.getvalue()


class ParquetFile:
    """An LZ4 Parquet file; every frame written becomes row groups of its own. `rows` counts them.

    All frames have the columns of the first. Without any there is no file, nor after an error: an incomplete file must
    never pass for a complete one.
    """

    #: What a reader must hold in memory at once.
    ROW_GROUP_ROWS = 100_000

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, frame: pl.DataFrame) -> None:
        self.write_table(as_table(frame))

    def write_table(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, **_ENCODING)
        self._writer.write_table(table, row_group_size=self.ROW_GROUP_ROWS)
        self.rows += table.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            if error is not None:
                self._path.unlink()


class RowCopy(BinaryCopy):
    """Copies validated frames into `raw.<dataset>`, or into the drop's own table, with their provenance.

    `provenance` gives `_drop_id`, `_partition_start`, `_run_id` and `_loaded_at` (with a zone), the same for all rows;
    those it lacks are columns of the frame, as `_line` and `_rescued` always are.
    """

    def __init__(
        self,
        connection: Connection,
        contract: Contract,
        provenance: Mapping[str, Any],
        own: DropTable | None = None,
    ) -> None:
        table = own or DropTable(sql.Identifier("raw", contract.name))
        types = contract.types() | {name: column.dtype for name, column in PROVENANCE.items()}
        sent = {name: dtype for name, dtype in types.items() if name not in table.with_default}
        jsonb = [name for name, kind in contract.kinds.items() if kind.postgres == "jsonb"]
        super().__init__(connection, table.name, sent, jsonb=[*jsonb, "_rescued"])
        self._provenance = [
            pl.lit(value, types[name]).alias(name) for name, value in provenance.items() if name in sent
        ]

    def encoded(self, frame: pl.DataFrame) -> Sequence[bytes]:
        return super().encoded(frame.with_columns(self._provenance))


class _Sent(NamedTuple):
    """The first and last line of a batch, and how many rows it has."""

    first: int
    last: int
    height: int


class CopyStream:
    """Sends the batches of a drop in one COPY for as long as possible, so that the server never waits between two.

    The connection is busy with the COPY, so rejected rows are buffered until they exceed MAX_BUFFERED_BYTES, or all
    rows are sent; `quarantine` is called with them while no COPY is in progress. On leaving, everything is sent and
    quarantined, or the error that stopped it is raised: Refused where a row is larger than Postgres can store.
    """

    def __init__(self, rows: RowCopy, quarantine: Callable[[pl.DataFrame, Kind], None]) -> None:
        self._rows, self._quarantine = rows, quarantine
        self._copy = ExitStack()
        self._sent: list[_Sent] = []
        self._buffered: list[Rejected] = []

    def __enter__(self) -> Self:
        return self

    def send(self, lines: pl.Series, encoded: Sequence[bytes], rejected: Sequence[Rejected]) -> None:
        """Send the rows of these lines, encoded by `RowCopy.encoded`, and buffer the rejected ones of the batch."""
        if len(lines):
            self._send(_Sent(lines[0], lines[-1], len(lines)), encoded)
        self._buffered += [found for found in rejected if found[0].height]
        if sum(rows.estimated_size() for rows, _ in self._buffered) > MAX_BUFFERED_BYTES:
            self._end()

    def _send(self, batch: _Sent, encoded: Sequence[bytes]) -> None:
        try:
            if not self._sent:
                self._copy.enter_context(self._rows)
            self._sent.append(batch)
            self._rows.send(encoded)
        except ProgramLimitExceeded as error:
            raise self._too_large(error) from error

    def _end(self) -> None:
        try:
            self._copy.close()
        except ProgramLimitExceeded as error:
            raise self._too_large(error) from error
        for kind, rows in groupby(sorted(self._buffered, key=itemgetter(1)), key=itemgetter(1)):
            self._quarantine(pl.concat(found for found, _ in rows), kind)
        self._sent, self._buffered = [], []

    def _too_large(self, error: ProgramLimitExceeded) -> Refused:
        first, last = self._lines_around(error)
        return Refused(
            f"lines {first} to {last}: expected rows that fit in a table of the warehouse; found one with too much in"
            f" it ({error.diag.message_primary}). Declare fewer columns in the contract: what is not declared is kept"
            " as JSON"
        )

    def _lines_around(self, error: ProgramLimitExceeded) -> tuple[int, int]:
        """The lines of the batch in which Postgres stopped; it reports the number of the row in the COPY."""
        stopped = re.search(r"line (\d+)", error.diag.context or "")
        left = int(stopped[1]) if stopped else 0
        for batch in self._sent:
            if 0 < left <= batch.height:
                return batch.first, batch.last
            left -= batch.height
        return self._sent[0].first, self._sent[-1].last

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end()
        else:
            self._copy.__exit__(kind, error, trace)
