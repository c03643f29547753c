"""Rows set aside: where they were, what they said, and why, in one table for all datasets."""

from typing import Literal

import polars as pl
from psycopg import Connection, sql

from lastmile.warehouse.binary_copy import BinaryCopy

Kind = Literal["bad", "duplicate"]

TYPES = {
    "drop_id": pl.Int64(),
    "dataset": pl.String(),
    "partition": pl.String(),
    "line": pl.Int64(),
    "kind": pl.String(),
    "raw": pl.String(),
    "reasons": pl.String(),
    "run_id": pl.String(),
}


def quarantine_rows(
    connection: Connection,
    drop_id: int,
    dataset: str,
    partition: str,
    run_id: str | None,
    bad: pl.DataFrame,
    kind: Kind,
) -> None:
    """Copy rows (line, raw, reasons) of one drop into `quarantine.rows`."""
    place = {"drop_id": drop_id, "dataset": dataset, "partition": partition, "kind": kind, "run_id": run_id}
    copy_rows(connection, bad.with_columns(pl.lit(value, TYPES[name]).alias(name) for name, value in place.items()))


def copy_rows(connection: Connection, rows: pl.DataFrame) -> None:
    """Copy rows with all columns of TYPES; a NUL character in a raw text is stored as the sign ␀."""
    with BinaryCopy(connection, sql.Identifier("quarantine", "rows"), TYPES, jsonb=["reasons"]) as copy:
        copy.write(rows.with_columns(pl.col("raw").str.replace_all("\0", "␀", literal=True)))
