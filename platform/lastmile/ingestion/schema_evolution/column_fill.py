"""Columns of loaded rows filled in from what was rescued of them, as though the contract had known them at once.

A rescued value goes to its column only where the whole row is still good with it, under the same casts, checks and
rules as any drop's. Where it is not, it stays rescued, and the reason is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.declaration import headers
from lastmile.contracts.names import normal_name
from lastmile.contracts.numbers import NumberFormat
from lastmile.ingestion.batch import RawBatch, ValidatedBatch
from lastmile.ingestion.validation import Plan

#: What was rescued of some rows, by the row's place in its batch.
Rescued = dict[int, dict[str, Any]]


def declared(contract: Contract, names: Iterable[str]) -> dict[str, str]:
    """The column that each rescued name stands for by now; names of no column, or of the key, are left out.

    Rows are told apart by their key, so it cannot change while they are loaded.
    """
    columns = {normal_name(header): column for header, column in headers(contract.columns)}
    found = {name: columns.get(normal_name(name)) for name in names}
    return {name: column for name, column in found.items() if column is not None and column not in contract.key}


@dataclass
class ColumnFill:
    """Fills in `columns` of one drop, batch by batch."""

    contract: Contract
    numbers: NumberFormat
    columns: Sequence[str]
    #: Values filled in by the header they came under, and its column.
    filled: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Values left by column and rule, and an example of each.
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
            taken = self._taken(column, names[column], rows[column], rescued)
            if taken:
                judged = self._judge(column, rows, {place: str(rescued[place][name]) for place, name in taken.items()})
                rows = _with_values(rows, judged.valid.select(pl.col("_line").alias("place"), column))
                changed |= self._settle(column, taken, judged, rescued)
        left = {place: orjson.dumps(rescued[place]).decode() if rescued[place] else None for place in sorted(changed)}
        texts = [left.get(place, text) for place, text in enumerate(rows["_rescued"])] if left else rows["_rescued"]
        rows = rows.with_columns(pl.Series("_rescued", texts, pl.String))
        return rows, rows[list(left)]

    def _taken(self, column: str, names: Sequence[str], values: pl.Series, rescued: Rescued) -> dict[int, str]:
        """The name of the value that each row has for the column, where it has one, and no other value."""
        has_value = values.is_not_null()
        found = {}
        for place, row in rescued.items():
            here = [name for name in names if name in row]
            if len(here) > 1:
                self._leave(column, "headers", f"{column}: expected one header for it, found {here} in one file")
            elif here and has_value[place]:
                self._leave(column, "taken", f"{column}: expected no value yet, found {values[place]!r}")
            elif here:
                found[place] = here[0]
        return found

    def _judge(self, column: str, rows: pl.DataFrame, texts: dict[int, str]) -> ValidatedBatch:
        others = [name for name in self.contract.columns if name != column]
        cells = pl.Series(column, list(texts.values()), pl.String)
        frame = rows[list(texts)].select(others).with_columns(cells)
        batch = RawBatch(frame, pl.Series(list(texts), dtype=pl.UInt64), lambda places: [cells[one] for one in places])
        return Plan(self.contract, [column], self.numbers, others).validate(batch)

    def _settle(self, column: str, taken: dict[int, str], judged: ValidatedBatch, rescued: Rescued) -> set[int]:
        """Take what was filled in out of the rescued values; returns the places of the rows that changed."""
        changed = set()
        for place, still in judged.valid.select("_line", "_rescued").iter_rows():
            before = dict(rescued[place])
            del rescued[place][taken[place]]
            if still is None:
                self.filled[taken[place], column] += 1
            else:
                rescued[place] |= orjson.loads(still)
                self._leave(column, "type", f"{column}: expected {self.contract.types()[column]}, found {still}")
            if rescued[place] != before:
                changed.add(place)
        for reasons in judged.bad["reasons"]:
            reason = orjson.loads(reasons)[0]
            self._leave(column, reason["rule"], reason["message"])
        return changed

    def _leave(self, column: str, rule: str, example: str) -> None:
        self.left[column, rule] += 1
        self.examples.setdefault((column, rule), example)


def as_declared(contract: Contract, rows: pl.DataFrame) -> pl.DataFrame:
    """Cleaned rows of an older contract as this one has them: columns added, whole numbers real where they became so.

    Text that has become a column of another type is rescued, as it is in the table. Columns that the contract does not
    have stay behind those it has. Raises ValueError where a type became one that cannot hold its values.
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
    texts = [
        (parsed.get(place) or {}) | {name: text for name, text in row.items() if text is not None}
        for place, row in enumerate(rows.select(columns).iter_rows(named=True))
    ]
    return pl.Series("_rescued", [orjson.dumps(row).decode() if row else None for row in texts], pl.String)


def _parsed(rescued: pl.Series) -> Rescued:
    return {place: orjson.loads(text) for place, text in enumerate(rescued) if text is not None}


def _with_values(rows: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """The rows with values (place, value) where there were none, in the same order and columns."""
    column = values.columns[1]
    placed = values.select(pl.col("place").cast(pl.UInt32), pl.col(column).alias("value"))
    index = (
        rows.select(pl.col(column)).with_row_index("place").join(placed, on="place", how="left", maintain_order="left")
    )
    return rows.with_columns(index.select(pl.coalesce(column, "value").alias(column)).to_series())
