"""Deduplication by natural key: against earlier rows of the same drop, and against the partition's rows in the table.

The first row stays. Later ones are quarantined with the reason, as duplicates or as bad rows, as the contract says.

Within a drop a key is remembered by a hash of 64 bits and one of 16, at 10 bytes a key. A row counts as a duplicate
only where both equal those of an earlier key: among ten million keys the probability that any two different ones do is
below 1e-10 (n squared over 2**81). Within a batch the keys themselves are compared.
"""

import json
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from psycopg import Connection, sql

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import QUARANTINE_SCHEMA, RawBatch
from lastmile.ledger import Drop
from lastmile.quarantine.rows import Kind
from lastmile.warehouse.locks import Lock, lock

High = NDArray[np.uint64]
Low = NDArray[np.uint16]
#: First and second hashes of some keys, ascending by the first.
Run = tuple[High, Low]

#: Columns of loaded rows that turned out to be duplicates: their texts are in the drop.
DUPLICATES_SCHEMA = {"line": pl.UInt64, "reasons": pl.String}

#: Merging needs 32 bytes a key for the moment, so runs end here: ten million keys are then 13 runs and 100 MB.
MAX_RUN_KEYS = 1_000_000


def deduplicates(contract: Contract) -> bool:
    """Whether rows of the dataset are deduplicated: it has a key, and its contract does not keep all rows."""
    return bool(contract.key) and contract.policy.duplicates != "keep"


def duplicate_kind(contract: Contract) -> Kind:
    """How the contract counts a duplicate row."""
    return "bad" if contract.policy.duplicates == "quarantine" else "duplicate"


class KeyIndex:
    """The keys of a drop so far, in sorted runs that double in length, so that each key is moved few times."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)
        self._runs: list[Run] = []

    def first_seen(self, frame: pl.DataFrame) -> pl.Series:
        """True for each row that is the first with its key; a row with a null in its key is no duplicate."""
        key = pl.struct(self._key) if len(self._key) > 1 else pl.col(self._key[0])
        rows = frame.select(
            partial=pl.any_horizontal(pl.col(self._key).is_null()),
            first=key.is_first_distinct(),
            high=key.hash(0),
            low=(key.hash(1) // 2**48).cast(pl.UInt16),
        )
        candidates = rows.with_row_index("row").filter(pl.col("first") & ~pl.col("partial")).sort("high")
        is_known = self._known(candidates["high"].to_numpy(), candidates["low"].to_numpy())
        self._remember(candidates.filter(~is_known))
        first = rows["first"].scatter(candidates["row"].filter(is_known), False)
        return (first | rows["partial"]).alias("first_seen")

    def _known(self, high: High, low: Low) -> pl.Series:
        is_known = np.zeros(len(high), dtype=np.bool_)
        for run_high, run_low in self._runs:
            position = np.minimum(np.searchsorted(run_high, high), len(run_high) - 1)
            is_known |= (run_high[position] == high) & (run_low[position] == low)
        return pl.Series(is_known, dtype=pl.Boolean)

    def _remember(self, new: pl.DataFrame) -> None:
        if new.height:
            self._runs.append((new["high"].to_numpy(), new["low"].to_numpy()))
        while len(self._runs) > 1 and _are_worth_merging(*self._runs[-2:]):
            self._runs[-2:] = [_merged(*self._runs[-2:])]


def _are_worth_merging(older: Run, newer: Run) -> bool:
    lengths = len(older[0]), len(newer[0])
    return lengths[1] * 2 > lengths[0] and sum(lengths) <= MAX_RUN_KEYS


def _merged(older: Run, newer: Run) -> Run:
    high, low = np.concatenate([older[0], newer[0]]), np.concatenate([older[1], newer[1]])
    order = np.argsort(high, kind="stable")  # two sorted runs: one linear merge
    return high[order], low[order]


def duplicates_in_drop(contract: Contract, batch: RawBatch, duplicates: pl.DataFrame) -> pl.DataFrame:
    """Rows of a batch that have a key of an earlier row of their drop, as line, raw text and reasons."""
    positions = batch.lines.search_sorted(duplicates["_line"]).to_list()
    reasons = [
        _reason(contract, row, "an earlier row of this drop") for row in duplicates.select(contract.key).iter_rows()
    ]
    return pl.DataFrame([duplicates["_line"].to_list(), batch.raw(positions), reasons], schema=QUARANTINE_SCHEMA)


def delete_table_duplicates(
    connection: Connection, contract: Contract, drop_id: int, first_day: date | None, lines: Sequence[int] | None = None
) -> pl.DataFrame:
    """Delete the drop's rows whose key the partition already has from another drop; returns their lines and reasons.

    With `lines`, only these rows of the drop are checked, and its other rows count as present already.

    A lock on the dataset's partition is held until the transaction ends, so two drops cannot both be the first; on the
    whole dataset where rows have partitions of their own, and then `first_day` is None. Where the ledger has no other
    drop with rows there, nothing is searched.
    """
    if first_day is None:
        lock(connection, Lock.PARTITION, [f"{contract.name}/every"])
    else:
        _lock_partitions(connection, contract, [first_day])
    if lines is None and ledger.is_alone(connection, drop_id, in_dataset=first_day is None):
        return pl.DataFrame(schema=DUPLICATES_SCHEMA)
    deleted = connection.execute(
        sql.SQL(
            """
            WITH repeated AS (
                SELECT DISTINCT ON (new._line) new.tableoid AS part, new.ctid AS place,
                    old._drop_id AS old_drop, old._line AS old_line
                FROM {table} new JOIN {table} old ON {same_key}
                WHERE new._drop_id = %(drop)s AND {here} AND {new} AND ({old})
                ORDER BY new._line, old._drop_id
            )
            DELETE FROM {table} new USING repeated
            WHERE new.tableoid = repeated.part AND new.ctid = repeated.place AND {there}
            RETURNING new._line, array[{key}]::text[], old_drop, old_line
            """
        ).format(
            table=sql.Identifier("raw", contract.name),
            here=sql.SQL("true" if first_day is None else "new._partition_start = %(day)s"),
            there=sql.SQL("true" if first_day is None else "new._partition_start + 0 = %(day)s"),
            new=sql.SQL("true" if lines is None else "new._line = ANY(%(lines)s)"),
            old=sql.SQL("old._drop_id <> %(drop)s" + ("" if lines is None else " OR old._line <> ALL(%(lines)s)")),
            same_key=_same_key(contract),
            key=sql.SQL(", ").join(sql.SQL("new.{}::text").format(sql.Identifier(name)) for name in contract.key),
        ),
        {"drop": drop_id, "day": first_day, "lines": lines},
    ).fetchall()
    rows = [
        (line, _reason(contract, key, f"line {old_line} of drop {old_drop}"))
        for line, key, old_drop, old_line in sorted(deleted)
    ]
    return pl.DataFrame(rows, schema=DUPLICATES_SCHEMA, orient="row")


def drops_with_table_duplicates(connection: Connection, contract: Contract, drops: Sequence[Drop]) -> set[int]:
    """Those of these loaded drops with a key that their partition has from another drop, or an earlier one of these.

    Holds the same lock as `delete_table_duplicates`. Each key is looked up by itself (OFFSET 0 says so): of a table
    without statistics the planner would list all rows of these drops for each row of the partition, for minutes.
    """
    if not deduplicates(contract):
        return set()
    days = list({contract.partition.window(drop.partition)[0] for drop in drops})
    _lock_partitions(connection, contract, days)
    found = connection.execute(
        sql.SQL(
            """
            SELECT DISTINCT new._drop_id FROM {table} new CROSS JOIN LATERAL (
                SELECT FROM {table} old
                WHERE {same_key} AND old._partition_start + 0 = ANY(%(days)s)
                  AND (old._drop_id <> ALL(%(drops)s) OR old._drop_id < new._drop_id) OFFSET 0
            ) repeated
            WHERE new._drop_id = ANY(%(drops)s)
            """
        ).format(table=sql.Identifier("raw", contract.name), same_key=_same_key(contract)),
        {"drops": [drop.id for drop in drops], "days": days},
    )
    return {drop_id for (drop_id,) in found.fetchall()}


def _lock_partitions(connection: Connection, contract: Contract, first_days: Sequence[date]) -> None:
    lock(connection, Lock.PARTITION, [f"{contract.name}/{day.isoformat()}" for day in first_days])


def _same_key(contract: Contract) -> sql.Composed:
    """The condition that rows `new` and `old` of the table have the same key in the same partition.

    "+ 0" keeps the planner off the index of drops and partitions, which it may choose for a new table without
    statistics, and then read the whole partition for each row of the drop. It still excludes by it the tables of large
    drops of other partitions.
    """
    names = map(sql.Identifier, contract.key)
    keys = sql.SQL(" AND ").join(sql.SQL("new.{0} = old.{0}").format(name) for name in names)
    return sql.SQL("{} AND old._partition_start + 0 = new._partition_start").format(keys)


def _reason(contract: Contract, key: tuple[object, ...], seen_in: str) -> str:
    names, found = ", ".join(contract.key), ", ".join(map(str, key))
    message = f"{names}: expected each key once in a partition; found {found} again, first seen in {seen_in}"
    return json.dumps([{"column": names, "rule": "unique", "found": found, "message": message}], ensure_ascii=False)
