"""Valid rows into the dataset's table, each with where it came from."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from psycopg import Connection, sql

from lastmile.contract import Contract
from lastmile.intake.writing.copying import BinaryCopy

#: What every table has beside the contract's columns: `_line` and `_rescued` from the frame, the rest as constants.
ORIGIN = {
    "_drop_id": pl.Int64(),
    "_line": pl.Int64(),
    "_partition_start": pl.Date(),
    "_run_id": pl.String(),
    "_loaded_at": pl.Datetime("us", "UTC"),
    "_rescued": pl.String(),
}


class RowCopy(BinaryCopy):
    """Copies frames as `Plan.judge` leaves them into `raw.<dataset>`, which must be there.

    `provenance` gives `_drop_id`, `_partition_start`, `_run_id` and `_loaded_at` (with a zone), the same for all rows.
    """

    def __init__(self, connection: Connection, contract: Contract, provenance: Mapping[str, Any]) -> None:
        table = sql.Identifier("raw", contract.name)
        super().__init__(connection, table, contract.types() | ORIGIN, jsonb=["_rescued"])
        self._provenance = [pl.lit(value, ORIGIN[name]).alias(name) for name, value in provenance.items()]

    def encoded(self, frame: pl.DataFrame) -> Sequence[bytes]:
        return super().encoded(frame.with_columns(self._provenance))
