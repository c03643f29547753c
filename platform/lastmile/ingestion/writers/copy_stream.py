"""Batches of rows in one COPY as long as it can be, so that the server never waits between two of them.

The connection is busy with it, so what a batch sets aside waits until that is something, or all rows are sent; and at
most so much of it that memory stays bounded.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import NamedTuple, Self

import polars as pl
from psycopg.errors import ProgramLimitExceeded

from lastmile.ingestion.batch import Refused
from lastmile.ingestion.writers.row_copy import RowCopy
from lastmile.quarantine.rows import Kind

#: Bytes of rows set aside that may wait.
MOST_WAITING = 4 * 2**20


Aside = tuple[pl.DataFrame, Kind]


class _Sent(NamedTuple):
    """Where a batch came from: its first and last line, and how many rows it has."""

    first: int
    last: int
    height: int


class CopyStream:
    """Sends the batches of a drop; `set_aside` is called with what else they have, while no COPY is under way.

    On leaving all is sent and set aside, or the error that stopped it is raised: Refused where a row has more in it
    than Postgres can hold in one.
    """

    def __init__(self, rows: RowCopy, set_aside: Callable[[pl.DataFrame, Kind], None]) -> None:
        self._rows, self._set_aside = rows, set_aside
        self._under_way = ExitStack()
        self._sent: list[_Sent] = []
        self._waiting: list[Aside] = []

    def __enter__(self) -> Self:
        return self

    def send(self, lines: pl.Series, encoded: Sequence[bytes], aside: Sequence[Aside]) -> None:
        """Send the rows of some lines, as `RowCopy.encoded` gives them; what is `aside` of the same batch waits."""
        if len(lines):
            self._send(_Sent(lines[0], lines[-1], len(lines)), encoded)
        self._waiting += [found for found in aside if found[0].height]
        if sum(rows.estimated_size() for rows, _ in self._waiting) > MOST_WAITING:
            self._end()

    def _send(self, batch: _Sent, encoded: Sequence[bytes]) -> None:
        try:
            if not self._sent:
                self._under_way.enter_context(self._rows)
            self._sent.append(batch)
            self._rows.send(encoded)
        except ProgramLimitExceeded as error:
            raise self._too_much(error) from error

    def _end(self) -> None:
        try:
            self._under_way.close()
        except ProgramLimitExceeded as error:
            raise self._too_much(error) from error
        for as_kind, rows in groupby(sorted(self._waiting, key=itemgetter(1)), key=itemgetter(1)):
            self._set_aside(pl.concat(found for found, _ in rows), as_kind)
        self._sent, self._waiting = [], []

    def _too_much(self, error: ProgramLimitExceeded) -> Refused:
        first, last = self._around(error)
        return Refused(
            f"lines {first} to {last}: expected rows that fit in a table of the warehouse; found one with too much in"
            f" it ({error.diag.message_primary}). Declare fewer columns in the contract: what is not declared is kept"
            " as JSON"
        )

    def _around(self, error: ProgramLimitExceeded) -> tuple[int, int]:
        """The lines of the batch that Postgres stopped in, which it tells by the number of the row in the COPY."""
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
            self._under_way.__exit__(kind, error, trace)
