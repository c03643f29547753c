"""Quarantined rows: where they were, what they said, and why, in one table for all datasets."""

from collections.abc import Sequence
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
    constants = {"drop_id": drop_id, "dataset": dataset, "partition": partition, "kind": kind, "run_id": run_id}
    copy_rows(connection, bad.with_columns(pl.lit(value, TYPES[name]).alias(name) for name, value in constants.items()))


def copy_rows(connection: Connection, rows: pl.DataFrame) -> None:
    """Copy rows with all columns of TYPES; a NUL character in a raw text is stored as the sign ␀."""
    with BinaryCopy(connection, sql.Identifier("quarantine", "rows"), TYPES, jsonb=["reasons"]) as copy:
        copy.write(rows.with_columns(pl.col("raw").str.replace_all("\0", "␀", literal=True)))


def delete_rows(connection: Connection, drop_id: int, lines: Sequence[int] | None = None) -> None:
    """Take rows of a drop out of the quarantine: these lines, or all."""
    connection.execute(
        "DELETE FROM quarantine.rows WHERE drop_id = %(drop)s"
        " AND (%(lines)s::bigint[] IS NULL OR line = ANY(%(lines)s))",
        {"drop": drop_id, "lines": None if lines is None else list(lines)},
    )


def undiscarded_lines(connection: Connection, drop_id: int, lines: Sequence[int]) -> list[int]:
    """Those of these lines of a drop that are quarantined and not discarded, ascending."""
    found = connection.execute(
        """
        SELECT DISTINCT line FROM quarantine.rows WHERE drop_id = %s AND line = ANY(%s::bigint[])
          AND line NOT IN (SELECT line FROM quarantine.discarded WHERE drop_id = %s) ORDER BY line
        """,
        [drop_id, list(lines), drop_id],
    )
    return [line for (line,) in found.fetchall()]


def count_of_drop(connection: Connection, drop_id: int) -> tuple[int, int]:
    """How many bad and duplicate rows of a drop are quarantined."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE kind = 'bad'), count(*) FILTER (WHERE kind = 'duplicate')
        FROM quarantine.rows WHERE drop_id = %s
        """,
        [drop_id],
    ).fetchone()
    return row or (0, 0)


def counts_by_drop(connection: Connection, dataset: str) -> dict[int, tuple[int, int]]:
    """How many bad and duplicate rows are quarantined, by drop of the dataset that has any."""
    found = connection.execute(
        """
        SELECT drop_id, count(*) FILTER (WHERE kind = 'bad'), count(*) FILTER (WHERE kind = 'duplicate')
        FROM quarantine.rows WHERE dataset = %s GROUP BY drop_id
        """,
        [dataset],
    ).fetchall()
    return {drop_id: (bad, duplicate) for drop_id, bad, duplicate in found}
