"""Rescued values, which no column of the contract fitted, and requests to fill columns in from them.

Once a contract declares a column that drops already had, or widens one that values did not fit, the column can be
filled in. The request is a mark in the ledger, which the next run of the partition executes under the drop's claim:
its rows in the table, its cleaned file and its row in the ledger change in one transaction, or nothing does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from psycopg import Connection, sql

from lastmile import ledger
from lastmile.contracts.casts import NumberFormat
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import BATCH_ROWS
from lastmile.ingestion.load import cleaned_key, fetch_cleaned
from lastmile.ingestion.schema_evolution.column_fill import ColumnFill, as_declared, declared
from lastmile.ingestion.writers import ParquetFile
from lastmile.ledger import ClaimLost, Drop, DropRecord, Outcome, RequestRefused
from lastmile.store import Store
from lastmile.warehouse.binary_copy import BinaryCopy
from lastmile.warehouse.tables import column_types

#: A number with a comma, which may be a decimal or a thousands separator.
_COMMA = r"^\s*[+-]?[0-9.]*,[0-9.,]*\s*$"
_MAX_EXAMPLE_CHARACTERS = 60
_MAX_REASONS = 5


@dataclass(frozen=True)
class RescuedName:
    """A header under which values were rescued, and the column that the contract now declares for it, if any."""

    name: str
    column: str | None
    drops: int
    rows: int
    examples: tuple[str, ...]


def rescued_names(connection: Connection, contract: Contract) -> list[RescuedName]:
    """The rescued values of the dataset's loaded rows by header, most rows first. Reads all rows with any."""
    if not column_types(connection, contract.name):
        return []
    found = connection.execute(
        sql.SQL(
            """
            SELECT member.name, count(DISTINCT _drop_id), count(*), min(left(member.value, {most})),
                max(left(member.value, {most}))
            FROM {table}, jsonb_each_text(_rescued) AS member (name, value)
            WHERE _rescued IS NOT NULL GROUP BY member.name ORDER BY 3 DESC, 1
            """
        ).format(table=sql.Identifier("raw", contract.name), most=_MAX_EXAMPLE_CHARACTERS)
    ).fetchall()
    known = declared(contract, [name for name, *_ in found])
    return [
        RescuedName(name, known.get(name), drops, rows, tuple(dict.fromkeys((low, high))))
        for name, drops, rows, low, high in found
    ]


def request_fill(connection: Connection, store: str, contract: Contract, wanted: Sequence[str]) -> list[int]:
    """Request these columns to be filled in wherever they have a rescued value; returns the drops concerned.

    Idempotent.
    """
    by_column = declared(contract, [found.name for found in rescued_names(connection, contract)])
    names = [name for name, column in by_column.items() if column in wanted]
    if not names:
        return []
    drops = connection.execute(
        sql.SQL("SELECT DISTINCT _drop_id FROM {} WHERE _rescued ?| %s::text[]").format(
            sql.Identifier("raw", contract.name)
        ),
        [names],
    ).fetchall()
    return ledger.request_column_fill(connection, store, [drop_id for (drop_id,) in drops], wanted)


def fill_columns(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome:
    """Fill in the requested columns in all rows of the drop. Raises RequestRefused with nothing changed."""
    wanted = [name for name in contract.columns if name in (drop.refill or ()) and name not in contract.key]
    with TemporaryDirectory(prefix="lastmile-") as folder, connection.transaction():
        ledger.lock_claims(connection, drop)
        before = _as_loaded(connection, store, drop)
        column_fill = ColumnFill(contract, NumberFormat.of(before.format), wanted)
        _expect_known_numbers(connection, column_fill, drop)
        part = Path(folder) / "filled.parquet"
        changed = _rewrite(connection, column_fill, _cleaned(store, drop, Path(folder)), part)
        key = cleaned_key(drop) if changed else drop.cleaned_key
        if changed:
            _update(connection, column_fill, drop, changed)
            store.publish(cleaned_key(drop), part)
        message = _message(column_fill)
        change = _change_after(before.schema_change, column_fill)
        ledger.record_column_fill(connection, drop, key, change, message, run_id)
    if drop.cleaned_key and key != drop.cleaned_key:
        store.delete(drop.cleaned_key)
    return Outcome(
        "loaded",
        read=before.rows_read,
        loaded=before.rows_loaded,
        quarantined=before.rows_quarantined,
        duplicate=before.rows_duplicate,
        cleaned_key=key,
        message=message,
    )


def _as_loaded(connection: Connection, store: Store, drop: Drop) -> DropRecord:
    found = ledger.find(connection, store.url, drop.id)
    if found is None or found.state != "loaded":
        state = found.state if found else "gone"
        raise ClaimLost(f"drop {drop.id} ({drop.key}) is {state} now: it has no rows to fill in")
    return found


def _expect_known_numbers(connection: Connection, column_fill: ColumnFill, drop: Drop) -> None:
    """Raises RequestRefused where a column has commas in numbers and the drop's number format has none.

    Only reading the drop again can decide whether `1.234` next to `0,5` is 1.234 or 1234.
    """
    if column_fill.numbers != NumberFormat():
        return
    found = connection.execute(
        sql.SQL(
            "SELECT DISTINCT ON (name) name, value FROM {}, jsonb_each_text(_rescued) AS member (name, value)"
            " WHERE _drop_id = %s AND value ~ %s"
        ).format(sql.Identifier("raw", column_fill.contract.name)),
        [drop.id, _COMMA],
    ).fetchall()
    known = declared(column_fill.contract, [name for name, _ in found])
    for name, value in found:
        if name in known and column_fill.contract.kinds[known[name]].is_number:
            raise RequestRefused(
                f"column {name!r}: expected numbers as they are written in the rest of the file, found {value!r} with a"
                f" comma; re-ingest the whole drop with `lastmile backfill --drop {drop.id}`"
            )


def _cleaned(store: Store, drop: Drop, folder: Path) -> Path | None:
    if drop.cleaned_key is None:
        return None
    file = folder / "cleaned.parquet"
    fetch_cleaned(store, drop, drop.cleaned_key, file)
    return file


def _rewrite(connection: Connection, column_fill: ColumnFill, cleaned: Path | None, part: Path) -> int:
    """Write the cleaned rows with filled columns, the changed ones also into a temporary table; returns their count."""
    if cleaned is None:
        return 0
    types = _types(column_fill)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in _kinds(column_fill).items()
    ]
    connection.execute(sql.SQL("CREATE TEMP TABLE filled ({}) ON COMMIT DROP").format(sql.SQL(", ").join(columns)))
    count = 0
    with ParquetFile(part) as parquet:
        for rows in _batches(column_fill.contract, cleaned):
            filled, changed = column_fill.fill(rows)
            parquet.write(filled)
            if changed.height:
                with BinaryCopy(
                    connection, sql.Identifier("pg_temp", "filled"), types, jsonb=_jsonb(column_fill)
                ) as copy:
                    copy.write(changed)
            count += changed.height
    return count


def _batches(contract: Contract, cleaned: Path) -> Iterator[pl.DataFrame]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(cleaned) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            try:
                yield as_declared(contract, pl.DataFrame(batch))
            except ValueError as error:
                raise RequestRefused(str(error)) from error


def _types(column_fill: ColumnFill) -> dict[str, pl.DataType]:
    types = column_fill.contract.types()
    return {"_line": pl.Int64(), **{name: types[name] for name in column_fill.columns}, "_rescued": pl.String()}


def _jsonb(column_fill: ColumnFill) -> list[str]:
    return [name for name, kind in _kinds(column_fill).items() if kind == "jsonb"]


def _kinds(column_fill: ColumnFill) -> dict[str, str]:
    kinds = {name: column_fill.contract.kinds[name].postgres for name in column_fill.columns}
    return {"_line": "bigint", **kinds, "_rescued": "jsonb"}


def _update(connection: Connection, column_fill: ColumnFill, drop: Drop, changed: int) -> None:
    names = [*column_fill.columns, "_rescued"]
    connection.execute("ANALYZE pg_temp.filled")  # without it the planner joins the two row by row
    updated = connection.execute(
        sql.SQL(
            "UPDATE {table} loaded SET {values} FROM pg_temp.filled"
            " WHERE loaded._drop_id = %s AND loaded._line = filled._line"
        ).format(
            table=sql.Identifier("raw", column_fill.contract.name),
            values=sql.SQL(", ").join(sql.SQL("{0} = filled.{0}").format(sql.Identifier(name)) for name in names),
        ),
        [drop.id],
    ).rowcount
    if updated != changed:
        raise RequestRefused(
            f"expected {changed:,} rows of the table as its cleaned file has them, found {updated:,}; re-ingest the"
            f" whole drop with `lastmile backfill --drop {drop.id}`"
        )


def _change_after(before: Mapping[str, Any], column_fill: ColumnFill) -> dict[str, Any]:
    """The drop's schema change under the contract as it is now: headers of filled columns are no longer undeclared."""
    undeclared = [*before.get("rescued", ()), *before.get("added", ())]
    known = {
        name: column
        for name, column in declared(column_fill.contract, undeclared).items()
        if column in column_fill.columns
    }
    aliases = {name: column for name, column in known.items() if name != column}
    after = {
        **before,
        "added": [name for name in before.get("added", ()) if name not in known],
        "rescued": [name for name in before.get("rescued", ()) if name not in known],
        "missing": [name for name in before.get("missing", ()) if name not in known.values()],
        "renamed": {**before.get("renamed", {}), **aliases},
    }
    return {name: value for name, value in after.items() if value}


def _message(column_fill: ColumnFill) -> str:
    counts: dict[str, int] = {}
    for (_, column), count in column_fill.filled.items():
        counts[column] = counts.get(column, 0) + count
    filled = ", ".join(f"{count:,} values of {column}" for column, count in counts.items()) or "no value"
    left = [
        f"{count:,} left: {column_fill.examples[which]}" for which, count in column_fill.left.most_common(_MAX_REASONS)
    ]
    return f"filled in {filled} under contract {column_fill.contract.version}" + "".join(f"; {one}" for one in left)
