"""Valid rows into the dataset's table, each with where it came from."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from psycopg import Connection, sql

from lastmile.contracts.contract import Contract
from lastmile.warehouse.binary_copy import BinaryCopy
from lastmile.warehouse.drop_tables import DropTable

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
    """Copies frames as `Plan.validate` leaves them into `raw.<dataset>`, or into the drop's own table.

    `provenance` gives `_drop_id`, `_partition_start`, `_run_id` and `_loaded_at` (with a zone), the same for all rows.
    """

    def __init__(
        self,
        connection: Connection,
        contract: Contract,
        provenance: Mapping[str, Any],
        own: DropTable | None = None,
    ) -> None:
        table = own or DropTable(sql.Identifier("raw", contract.name))
        types = contract.types() | ORIGIN
        sent = {name: dtype for name, dtype in types.items() if name not in table.filled}
        jsonb = [name for name, kind in contract.kinds.items() if kind.postgres == "jsonb"]
        super().__init__(connection, table.name, sent, jsonb=[*jsonb, "_rescued"])
        self._provenance = [
            pl.lit(value, ORIGIN[name]).alias(name) for name, value in provenance.items() if name in sent
        ]

    def encoded(self, frame: pl.DataFrame) -> Sequence[bytes]:
        return super().encoded(frame.with_columns(self._provenance))
