"""Where a loaded row came from: the columns that every table `raw.<dataset>` has in addition to its contract's.

`_line` and `_rescued` come with each row; the others are the same for all rows of a drop.
"""

from typing import NamedTuple

import polars as pl


class ProvenanceColumn(NamedTuple):
    """A column's type in a frame and in Postgres, and what it means."""

    dtype: pl.DataType
    postgres: str
    description: str


PROVENANCE = {
    "_drop_id": ProvenanceColumn(pl.Int64(), "bigint NOT NULL", "Drop the row came in: `id` in `ledger.drops`."),
    "_line": ProvenanceColumn(
        pl.Int64(), "bigint NOT NULL", "Line of the drop's file, or row of its sheet, that the row starts on."
    ),
    "_partition_start": ProvenanceColumn(pl.Date(), "date NOT NULL", "First day of the row's partition."),
    "_run_id": ProvenanceColumn(pl.String(), "text", "Dagster run that loaded the row."),
    "_loaded_at": ProvenanceColumn(
        pl.Datetime("us", "UTC"), "timestamp with time zone NOT NULL", "When the row was loaded."
    ),
    "_rescued": ProvenanceColumn(pl.String(), "jsonb", "Values of columns that the contract does not know."),
}
