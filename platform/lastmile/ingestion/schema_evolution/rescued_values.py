"""What was rescued of loaded rows because no column could take it, and filling columns in from it.

Once a contract declares a column that drops have long brought, or widens one that values did not fit, somebody asks for
it to be filled in. Asking is a mark in the ledger, which the next run of the partition carries out under the drop's
claim: the rows of its table, its cleaned file and its row in the ledger change in one transaction, or nothing does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from psycopg import Connection, sql

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.contracts.names import normal_name
from lastmile.contracts.numbers import NumberFormat
from lastmile.ingestion.load import cleaned_key, fetch_cleaned
from lastmile.ingestion.readers.reader import ROWS
from lastmile.ingestion.schema_evolution.column_fill import ColumnFill, as_declared, declared
from lastmile.ingestion.writers.parquet_file import ParquetFile
from lastmile.ledger import ClaimLost, Drop, Outcome, RequestRefused
from lastmile.store import Store
from lastmile.warehouse.binary_copy import BinaryCopy
from lastmile.warehouse.tables import columns

#: A number with a comma, which stands for a decimal sign or for thousands.
_COMMA = r"^\s*[+-]?[0-9.]*,[0-9.,]*\s*$"
#: Characters of an example, and reasons told of values that were left.
_EXAMPLE, _REASONS = 60, 5


@dataclass(frozen=True)
class RescuedName:
    """A name under which values were rescued, and the contract's column that it stands for by now, if there is one."""

    name: str
    column: str | None
    drops: int
    rows: int
    examples: tuple[str, ...]


def rescued_names(connection: Connection, contract: Contract) -> list[RescuedName]:
    """What is rescued of the dataset's loaded rows, most rows first. Reads all rows that have anything rescued."""
    if not columns(connection, contract.name):
        return []
    found = connection.execute(
        sql.SQL(
            """
            SELECT name, count(DISTINCT _drop_id), count(*), min(left(value, {most})), max(left(value, {most}))
            FROM {table}, jsonb_each_text(_rescued) AS member (name, value)
            WHERE _rescued IS NOT NULL GROUP BY name ORDER BY 3 DESC, 1
            """
        ).format(table=sql.Identifier("raw", contract.name), most=_EXAMPLE)
    ).fetchall()
    known = declared(contract, [name for name, *_ in found])
    return [
        RescuedName(name, known.get(name), drops, rows, tuple(dict.fromkeys((low, high))))
        for name, drops, rows, low, high in found
    ]


def ask(connection: Connection, store: str, contract: Contract, wanted: Sequence[str]) -> list[int]:
    """Ask for these columns to be filled in wherever a value of theirs is rescued; returns the drops asked for.

    Asking twice is asking once.
    """
    by_column = declared(contract, [found.name for found in rescued_names(connection, contract)])
    names = [name for name, column in by_column.items() if column in wanted]
    if not names:
        return []
    asked = connection.execute(
        sql.SQL(
            """
            WITH asked AS (
                UPDATE ledger.drops SET not_before = now(), refill = (
                    SELECT array_agg(DISTINCT name ORDER BY name) FROM unnest(refill || %(wanted)s::text[]) name)
                WHERE state = 'loaded' AND store = %(store)s AND id IN (
                    SELECT _drop_id FROM {table} WHERE _rescued ?| %(names)s::text[])
                RETURNING id, state
            ), told AS (
                INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %(message)s FROM asked
            )
            SELECT id FROM asked ORDER BY id
            """
        ).format(table=sql.Identifier("raw", contract.name)),
        {"wanted": list(wanted), "store": store, "names": names, "message": f"asked to fill in {', '.join(wanted)}"},
    ).fetchall()
    return [drop_id for (drop_id,) in asked]


def fill(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome:
    """Fill in the columns asked for in all rows of the drop. Raises RequestRefused with nothing changed."""
    wanted = [name for name in contract.columns if name in (drop.refill or ()) and name not in contract.key]
    with TemporaryDirectory(prefix="lastmile-") as folder, connection.transaction():
        ledger.lock_claims(connection, drop)
        before = _as_loaded(connection, drop)
        filling = ColumnFill(contract, NumberFormat.of(before["format"]), wanted)
        _expect_known_numbers(connection, filling, drop)
        part = Path(folder) / "filled.parquet"
        changed = _rewrite(connection, filling, _cleaned(store, drop, Path(folder)), part)
        key = cleaned_key(drop) if changed else drop.cleaned_key
        if changed:
            _update(connection, filling, drop, changed)
            store.publish(cleaned_key(drop), part)
        told = _told(filling)
        ledger.record_column_fill(connection, drop, key, _change(before["schema_change"], filling), told, run_id)
    if drop.cleaned_key and key != drop.cleaned_key:
        store.delete(drop.cleaned_key)
    counts = {name: before[f"rows_{name}"] for name in ("read", "loaded", "quarantined", "duplicate")}
    return Outcome("loaded", **counts, cleaned_key=key, message=told)


def _as_loaded(connection: Connection, drop: Drop) -> dict[str, Any]:
    names = ("state", "format", "schema_change", "rows_read", "rows_loaded", "rows_quarantined", "rows_duplicate")
    row = connection.execute(f"SELECT {', '.join(names)} FROM ledger.drops WHERE id = %s", [drop.id]).fetchone()
    found = dict(zip(names, row or (), strict=True))
    if found["state"] != "loaded":
        raise ClaimLost(f"drop {drop.id} ({drop.key}) is {found['state']} now: it has no rows to fill in")
    return found


def _expect_known_numbers(connection: Connection, filling: ColumnFill, drop: Drop) -> None:
    """Raises RequestRefused where a column shows a comma in numbers that the drop was not known to have.

    Only reading the drop again can tell whether `1.234` beside `0,5` is 1.234 or 1234.
    """
    if filling.numbers != NumberFormat():
        return
    found = connection.execute(
        sql.SQL(
            "SELECT DISTINCT ON (name) name, value FROM {}, jsonb_each_text(_rescued) AS member (name, value)"
            " WHERE _drop_id = %s AND value ~ %s"
        ).format(sql.Identifier("raw", filling.contract.name)),
        [drop.id, _COMMA],
    ).fetchall()
    known = declared(filling.contract, [name for name, _ in found])
    for name, value in found:
        if name in known and filling.contract.kinds[known[name]].is_number:
            raise RequestRefused(
                f"column {name!r}: expected numbers as they are written in the rest of the file, found {value!r} with a"
                f" comma; take the drop whole with `lastmile backfill --drop {drop.id}`"
            )


def _cleaned(store: Store, drop: Drop, folder: Path) -> Path | None:
    if drop.cleaned_key is None:
        return None
    file = folder / "cleaned.parquet"
    fetch_cleaned(store, drop, drop.cleaned_key, file)
    return file


def _rewrite(connection: Connection, filling: ColumnFill, cleaned: Path | None, part: Path) -> int:
    """Write the cleaned rows with what is filled in, the changed ones also into a table of this transaction."""
    if cleaned is None:
        return 0
    types = _types(filling)
    made = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in _kinds(filling).items()]
    connection.execute(sql.SQL("CREATE TEMP TABLE filled ({}) ON COMMIT DROP").format(sql.SQL(", ").join(made)))
    count = 0
    with ParquetFile(part) as parquet:
        for rows in _batches(filling.contract, cleaned):
            filled, changed = filling.fill(rows)
            parquet.write(filled)
            if changed.height:
                with BinaryCopy(connection, sql.Identifier("pg_temp", "filled"), types, jsonb=_jsonb(filling)) as copy:
                    copy.write(changed)
            count += changed.height
    return count


def _batches(contract: Contract, cleaned: Path) -> Iterator[pl.DataFrame]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(cleaned) as file:
        for batch in file.iter_batches(ROWS):
            try:
                yield as_declared(contract, pl.DataFrame(batch))
            except ValueError as error:
                raise RequestRefused(str(error)) from error


def _types(filling: ColumnFill) -> dict[str, pl.DataType]:
    types = filling.contract.types()
    return {"_line": pl.Int64(), **{name: types[name] for name in filling.columns}, "_rescued": pl.String()}


def _jsonb(filling: ColumnFill) -> list[str]:
    return [name for name, kind in _kinds(filling).items() if kind == "jsonb"]


def _kinds(filling: ColumnFill) -> dict[str, str]:
    kinds = {name: filling.contract.kinds[name].postgres for name in filling.columns}
    return {"_line": "bigint", **kinds, "_rescued": "jsonb"}


def _update(connection: Connection, filling: ColumnFill, drop: Drop, changed: int) -> None:
    names = [*filling.columns, "_rescued"]
    connection.execute("ANALYZE pg_temp.filled")  # or the two are joined row by row
    updated = connection.execute(
        sql.SQL(
            "UPDATE {table} loaded SET {values} FROM pg_temp.filled"
            " WHERE loaded._drop_id = %s AND loaded._line = filled._line"
        ).format(
            table=sql.Identifier("raw", filling.contract.name),
            values=sql.SQL(", ").join(sql.SQL("{0} = filled.{0}").format(sql.Identifier(name)) for name in names),
        ),
        [drop.id],
    ).rowcount
    if updated != changed:
        raise RequestRefused(
            f"expected {changed:,} rows of the table as its cleaned file has them, found {updated:,}; take the drop"
            f" whole with `lastmile backfill --drop {drop.id}`"
        )


def _change(before: Mapping[str, Any], filling: ColumnFill) -> dict[str, Any]:
    """The drop's change of header as the contract sees it now: headers of filled columns are foreign no more."""
    foreign = [*before.get("rescued", ()), *before.get("added", ())]
    known = {name: column for name, column in declared(filling.contract, foreign).items() if column in filling.columns}
    aliases = {name: column for name, column in known.items() if normal_name(name) != column}
    after = {
        **before,
        "added": [name for name in before.get("added", ()) if name not in known],
        "rescued": [name for name in before.get("rescued", ()) if name not in known],
        "missing": [name for name in before.get("missing", ()) if name not in known.values()],
        "renamed": {**before.get("renamed", {}), **aliases},
    }
    return {name: value for name, value in after.items() if value}


def _told(filling: ColumnFill) -> str:
    counts: dict[str, int] = {}
    for (_, column), count in filling.filled.items():
        counts[column] = counts.get(column, 0) + count
    filled = ", ".join(f"{count:,} values of {column}" for column, count in counts.items()) or "no value"
    left = [f"{count:,} left: {filling.examples[which]}" for which, count in filling.left.most_common(_REASONS)]
    return f"filled in {filled} under contract {filling.contract.version}" + "".join(f"; {one}" for one in left)
