"""Rows whose natural key was seen before: in their own drop, or in the table under the same partition.

The first row stays. Later ones are set aside with the reason, as duplicates or as broken rows: the contract says which.
"""

import json
from collections.abc import Sequence
from datetime import date

import polars as pl
from psycopg import Connection, sql

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import QUARANTINE_SCHEMA, RawBatch
from lastmile.ledger import Drop
from lastmile.quarantine.rows import Kind
from lastmile.warehouse.locks import Lock, lock


def deduplicates(contract: Contract) -> bool:
    """Whether a row may repeat another one: rows without a key do not, nor those that are all to be kept."""
    return bool(contract.key) and contract.policy.duplicates != "keep"


def kind(contract: Contract) -> Kind:
    """How the contract counts a repeated row."""
    return "bad" if contract.policy.duplicates == "quarantine" else "duplicate"


def duplicates_in_drop(contract: Contract, batch: RawBatch, repeated: pl.DataFrame) -> pl.DataFrame:
    """Rows of a batch that repeat a key of their own drop, as line, raw text and reasons."""
    positions = batch.lines.search_sorted(repeated["_line"]).to_list()
    reasons = [
        _reason(contract, row, "an earlier row of this drop") for row in repeated.select(contract.key).iter_rows()
    ]
    return pl.DataFrame([repeated["_line"].to_list(), batch.raw(positions), reasons], schema=QUARANTINE_SCHEMA)


def quarantine_table_duplicates(
    connection: Connection, contract: Contract, drop_id: int, first_day: date | None, lines: Sequence[int] | None = None
) -> pl.DataFrame:
    """Delete the drop's rows whose key the partition already holds from another drop; returns them, raw as JSON.

    With `lines`, only these rows of the drop are asked about, and its other rows count as held already.

    A lock on the dataset's partition is held until the transaction ends, so two drops cannot both be the first; on the
    whole dataset where rows have partitions of their own, and then `first_day` is None. Where the ledger knows no other
    drop with rows there, nothing is searched.
    """
    if first_day is None:
        lock(connection, Lock.PARTITION, [f"{contract.name}/every"])
    else:
        _lock_partitions(connection, contract, [first_day])
    if lines is None and _is_alone(connection, drop_id, first_day is None):
        return pl.DataFrame(schema=QUARANTINE_SCHEMA)
    taken_out = connection.execute(
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
            RETURNING new._line, to_jsonb(new)::text, array[{key}]::text[], old_drop, old_line
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
        (line, raw, _reason(contract, key, f"line {old_line} of drop {old_drop}"))
        for line, raw, key, old_drop, old_line in sorted(taken_out)
    ]
    return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")


def drops_with_table_duplicates(connection: Connection, contract: Contract, drops: Sequence[Drop]) -> set[int]:
    """Those of these loaded drops with a key that their partition has from another drop, or an earlier one of these.

    The lock is that of `quarantine_table_duplicates`.
    """
    if not deduplicates(contract):
        return set()
    days = list({contract.partition.window(drop.partition)[0] for drop in drops})
    _lock_partitions(connection, contract, days)
    found = connection.execute(
        sql.SQL(
            """
            SELECT DISTINCT new._drop_id FROM {table} new JOIN {table} old ON {same_key}
            WHERE new._drop_id = ANY(%(drops)s) AND old._partition_start + 0 = ANY(%(days)s)
              AND (old._drop_id <> ALL(%(drops)s) OR old._drop_id < new._drop_id)
            """
        ).format(table=sql.Identifier("raw", contract.name), same_key=_same_key(contract)),
        {"drops": [drop.id for drop in drops], "days": days},
    )
    return {drop_id for (drop_id,) in found.fetchall()}


def _lock_partitions(connection: Connection, contract: Contract, first_days: Sequence[date]) -> None:
    lock(connection, Lock.PARTITION, [f"{contract.name}/{day.isoformat()}" for day in first_days])


def _same_key(contract: Contract) -> sql.Composed:
    """The condition that rows `new` and `old` of the table have the same key in the same partition.

    "+ 0" keeps the planner off the index of drops and partitions, which it may take for a fresh table without
    statistics, and then read the whole partition for each row of the drop. It knows by it still which tables of large
    drops are of other partitions.
    """
    names = map(sql.Identifier, contract.key)
    keys = sql.SQL(" AND ").join(sql.SQL("new.{0} = old.{0}").format(name) for name in names)
    return sql.SQL("{} AND old._partition_start + 0 = new._partition_start").format(keys)


def _is_alone(connection: Connection, drop_id: int, in_dataset: bool) -> bool:
    others = connection.execute(
        "SELECT FROM ledger.drops one JOIN ledger.drops other USING (dataset)"
        " WHERE one.id = %s AND other.id <> one.id AND other.state = 'loaded'"
        " AND (other.partition = one.partition OR %s) LIMIT 1",
        [drop_id, in_dataset],
    )
    return others.rowcount == 0


def _reason(contract: Contract, key: tuple[object, ...], seen_in: str) -> str:
    names, found = ", ".join(contract.key), ", ".join(map(str, key))
    message = f"{names}: expected each key once in a partition; found {found} again, first seen in {seen_in}"
    return json.dumps([{"column": names, "rule": "unique", "found": found, "message": message}], ensure_ascii=False)
