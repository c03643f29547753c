"""Fills columns of loaded rows in from their rescued values, as though the contract had declared them all along.

A rescued value moves to its column only where the whole row remains valid with it, under the same casts, checks and
rules as in any drop. Otherwise it stays rescued, and the reason is recorded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from lastmile.contracts.casts import NumberFormat
from lastmile.contracts.contract import Contract
from lastmile.contracts.headers import made_up
from lastmile.ingestion.batch import RawBatch, ValidatedBatch
from lastmile.ingestion.validation import Plan

#: Rescued values by header, by the row's position in its batch.
Rescued = dict[int, dict[str, Any]]


def declared(contract: Contract, names: Iterable[str]) -> dict[str, str]:
    """The column that the contract now declares for each rescued name; other names, and the key's, are left out.

    The key identifies rows, so it cannot change while they are loaded.
    """
    invented = made_up(names := list(names))
    known = contract.headers
    found = {name: known.exact.get(name) if name in invented else known.column(name) for name in names}
    return {name: column for name, column in found.items() if column is not None and column not in contract.key}


@dataclass
class ColumnFill:
    """Fills in `columns` of one drop, batch by batch."""

    contract: Contract
    numbers: NumberFormat
    columns: Sequence[str]
    #: Values filled in, by header and column.
    filled: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Values left rescued, by column and rule, and an example of each.
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def fill(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The typed rows with what could be filled in, and those of them that have changed."""
        rescued = _parsed(rows["_rescued"])
        names: dict[str, list[str]] = defaultdict(list)
        for name, column in declared(self.contract, {name for row in rescued.values() for name in row}).items():
            names[column].append(name)
        changed: set[int] = set()
        for column in self.columns:
            sources = self._sources(column, names[column], rows[column], rescued)
            if sources:
                texts = {row: str(rescued[row][name]) for row, name in sources.items()}
                validated = self._validated(column, rows, texts)
                rows = _with_values(rows, validated.valid.select(pl.col("_line").alias("row"), column))
                changed |= self._remove_filled(column, sources, validated, rescued)
        left = {row: orjson.dumps(rescued[row]).decode() if rescued[row] else None for row in sorted(changed)}
        after = [left.get(row, text) for row, text in enumerate(rows["_rescued"])] if left else rows["_rescued"]
        rows = rows.with_columns(pl.Series("_rescued", after, pl.String))
        return rows, rows[list(left)]

    def _sources(self, column: str, names: Sequence[str], values: pl.Series, rescued: Rescued) -> dict[int, str]:
        """By row, the header of the one rescued value that may fill the column, which must be null."""
        has_value = values.is_not_null()
        found = {}
        for row, by_name in rescued.items():
            headers_found = [name for name in names if name in by_name]
            if len(headers_found) > 1:
                message = f"{column}: expected one header for it, found {headers_found} in one file"
                self._leave(column, "headers", message)
            elif headers_found and has_value[row]:
                self._leave(column, "filled", f"{column}: expected no value yet, found {values[row]!r}")
            elif headers_found:
                found[row] = headers_found[0]
        return found

    def _validated(self, column: str, rows: pl.DataFrame, texts: dict[int, str]) -> ValidatedBatch:
        others = [name for name in self.contract.columns if name != column]
        cells = pl.Series(column, list(texts.values()), pl.String)
        frame = rows[list(texts)].select(others).with_columns(cells)
        batch = RawBatch(
            frame, pl.Series(list(texts), dtype=pl.UInt64), lambda positions: [cells[one] for one in positions]
        )
        return Plan(self.contract, [column], self.numbers, others).validate(batch)

    def _remove_filled(
        self, column: str, sources: dict[int, str], validated: ValidatedBatch, rescued: Rescued
    ) -> set[int]:
        """Remove the values that were filled in from the rescued ones; returns the rows that changed."""
        changed = set()
        for row, still_rescued in validated.valid.select("_line", "_rescued").iter_rows():
            before = dict(rescued[row])
            del rescued[row][sources[row]]
            if still_rescued is None:
                self.filled[sources[row], column] += 1
            else:
                rescued[row] |= orjson.loads(still_rescued)
                expected = self.contract.types()[column]
                self._leave(column, "type", f"{column}: expected {expected}, found {still_rescued}")
            if rescued[row] != before:
                changed.add(row)
        for reasons in validated.bad["reasons"]:
            reason = orjson.loads(reasons)[0]
            self._leave(column, reason["rule"], reason["message"])
        return changed

    def _leave(self, column: str, rule: str, example: str) -> None:
        self.left[column, rule] += 1
        self.examples.setdefault((column, rule), example)


def as_declared(contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """Cleaned rows of an older contract in the schema of this one: columns added, integers widened to reals.

    Text whose column now has another type is rescued, as it is in the table. Columns that the contract does not declare
    follow those it does. Raises ValueError where a type has become one that cannot represent its values.
    """
    casts, outgrown = [], []
    for name, dtype in contract.types().items():
        old = rows.schema.get(name, dtype)
        if old == pl.String and dtype != pl.String:
            outgrown.append(name)
        elif old != dtype and not (old == pl.Int64 and dtype == pl.Float64):
            raise ValueError(f"column {name}: expected {dtype} or what widens to it, found {old}")
        is_kept = name in rows.columns and name not in outgrown
        casts.append(pl.col(name).cast(dtype) if is_kept else pl.lit(None, dtype).alias(name))
    others = [name for name in rows.columns if name not in contract.columns and name not in ("_line", "_rescued")]
    rescued = _rescue(rows, outgrown) if outgrown else rows["_rescued"]
    return rows.select(*casts, *others, "_line", rescued)


def _rescue(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    parsed = _parsed(rows["_rescued"])
    values = [
        (parsed.get(row) or {}) | {name: text for name, text in texts.items() if text is not None}
        for row, texts in enumerate(rows.select(columns).iter_rows(named=True))
    ]
    return pl.Series("_rescued", [orjson.dumps(row).decode() if row else None for row in values], pl.String)


def _parsed(rescued: pl.Series) -> Rescued:
    return {row: orjson.loads(text) for row, text in enumerate(rescued) if text is not None}


def _with_values(rows: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """The rows with values (row, value) in place of nulls, in the same order and columns."""
    column = values.columns[1]
    by_row = values.select(pl.col("row").cast(pl.UInt32), pl.col(column).alias("value"))
    index = rows.select(pl.col(column)).with_row_index("row").join(by_row, on="row", how="left", maintain_order="left")
    return rows.with_columns(index.select(pl.coalesce(column, "value").alias(column)).to_series())
