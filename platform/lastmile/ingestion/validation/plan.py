"""The contract of a dataset turned, once per header, into the casts and flags that validate each batch of a drop.

pandera stays the contract without being in the hot loop: its checks become expressions when the plan is made, each
batch is validated in a few vectorised steps, and no row is ever touched by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import polars as pl

from lastmile.contracts.casts import PLAIN, NumberFormat
from lastmile.contracts.checks import FAILURES
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import QUARANTINE_SCHEMA, RawBatch, SchemaChange, ValidatedBatch
from lastmile.ingestion.validation.cell_faults import with_faults
from lastmile.ingestion.validation.evaluation import evaluated
from lastmile.ingestion.validation.fast_path import FastPath
from lastmile.ingestion.validation.header_match import fit
from lastmile.ingestion.validation.rules import (
    Rule,
    any_broken,
    cell,
    cell_name,
    column_rules,
    derived_values,
    misread,
    raw_name,
    rules_of,
    text_rules,
)
from lastmile.ingestion.validation.unknown_cells import UnknownCells
from lastmile.ingestion.validation.violations import bad_rows, broken_rows

#: Below so many, setting up the search for plain rows costs more than it saves.
FEW_ROWS = 2_000


class Plan:
    """How drops with one header are validated. `change` says how the header differs from the contract.

    Cells of unknown columns go to `_rescued` under the name found, also where the contract says to add such columns:
    a caller that adds them passes the contract with them. A text cell is kept as it is, blanks at its ends too; only
    missing codes are compared without them. A wrong type is rescued in optional columns only: a required one would be
    left without its value.

    Columns in `loaded` come typed already, under their own names: rows of the table that get further values.

    Raises Refused where the header does not fit, ValueError where the contract requires what no plan can do.
    """

    change: SchemaChange

    def __init__(
        self, contract: Contract, header: Sequence[str], numbers: NumberFormat = PLAIN, loaded: Sequence[str] = ()
    ) -> None:
        fitting, self.change = fit(contract, [*header, *loaded])
        found = {column: name for column, name in fitting.items() if column not in loaded}
        self._unknown = list(self.change.rescued)
        self._known = list(found.values())
        self._longest = contract.limits.cell_characters
        self._columns = {name: column for column, name in found.items()}
        self._loaded = [*contract.columns, "_line", "_rescued"]
        self._names = {name: raw_name(column) for column, name in found.items()} | {
            name: raw_name(name) for name in self._unknown
        }
        self._names_of_unknown = {raw_name(name): name for name in self._unknown}
        self._cells = [*(_cell(contract, column, numbers) for column in found), *map(pl.col, loaded)]
        self._typed = list(_typed(contract, found, numbers, loaded))
        self._derived = derived_values(contract, loaded, {column: cell(column).is_null() for column in found})
        self._rescuing = list(found) if contract.policy.wrong_type == "rescue" else []
        self._rules = list(rules_of(contract, found, lambda name: column_rules(contract, name, numbers)))
        self._plain: Callable[[], FastPath] = cache(lambda: FastPath(contract, found, numbers))
        self._may_be_plain = not loaded

    def validate(self, batch: RawBatch) -> ValidatedBatch:
        """Sort a batch into valid rows and bad ones. `batch.raw` is called only where there are bad rows."""
        raw, unfit = self._with_rescued(batch)
        plain, doubtful = self._sort(raw, batch.nul_free, unfit)
        found, rules, flags = self._look_closely(raw.filter(doubtful))
        is_bad = any_broken(flags, found.height)
        valid = found.filter(~is_bad).select(self._loaded)
        bad = [broken_rows(batch.broken) if batch.broken else pl.DataFrame(schema=QUARANTINE_SCHEMA)]
        if is_bad.any():
            positions = doubtful.arg_true().filter(is_bad)
            rows = raw[positions]
            texts = batch.raw(positions.to_list())
            bad.append(bad_rows(rules, flags.filter(is_bad), rows, rows["_line"], texts))
        judged = ValidatedBatch(_in_order(plain, valid), pl.concat(bad).sort("line", maintain_order=True))
        return with_faults(judged, batch, self._columns) if batch.faults else judged

    def _with_rescued(self, batch: RawBatch) -> tuple[pl.DataFrame, pl.Series]:
        """The declared cells with `_line`, the others as JSON in `_rescued`, and which rows have any that are unfit.

        Columns that have unfit ones stay, for their rules.
        """
        lines = batch.lines.cast(pl.UInt64).alias("_line")
        if not self._unknown:
            raw = batch.frame.rename(self._names).with_columns(lines, pl.lit(None, pl.String).alias("_rescued"))
            return raw, pl.repeat(False, raw.height, dtype=pl.Boolean, eager=True)
        cells = UnknownCells.of(batch.frame.drop(self._known))
        unfit = cells.unfit(self._longest, batch.nul_free)
        kept = [*self._known, *unfit.columns]
        raw = batch.frame.select(kept).rename({name: self._names[name] for name in kept})
        return raw.with_columns(lines, cells.objects().alias("_rescued")), unfit.rows

    def _unfit(self, raw: pl.DataFrame) -> list[str]:
        return [self._names_of_unknown[column] for column in raw.columns if column in self._names_of_unknown]

    def _rules_of(self, raw: pl.DataFrame) -> list[Rule]:
        return [*self._rules, *(rule for name in self._unfit(raw) for rule in text_rules(name, self._longest))]

    def _sort(self, raw: pl.DataFrame, nul_free: bool, unfit: pl.Series) -> tuple[pl.DataFrame | None, pl.Series]:
        """The plain rows, as they are loaded, and which of the rows are not plain.

        Where half of a batch was not, or in one of few rows, nothing is won by looking for them.
        """
        if not self._may_be_plain or raw.height < FEW_ROWS:
            return None, pl.repeat(True, raw.height, dtype=pl.Boolean, eager=True)
        rows = self._plain()
        query = rows.typed(raw.lazy())
        try:
            typed = query.collect(engine="in-memory")
            is_plain = rows.are_valid(typed, nul_free) & ~unfit
        except FAILURES:  # an expression of the contract fails on a row: the closer look finds which
            return None, pl.repeat(True, raw.height, dtype=pl.Boolean, eager=True)
        self._may_be_plain = 2 * int(is_plain.sum()) >= raw.height
        return typed.select(self._loaded).filter(is_plain), ~is_plain

    def _look_closely(self, raw: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[Rule], pl.DataFrame]:
        """The rows typed, the rules, and per rule whether they break it."""
        rules, cells = self._rules_of(raw), [*self._cells, *map(_unknown_cell, self._unfit(raw))]
        query = raw.lazy().select("_line", "_rescued", *cells).with_columns(self._typed)
        frame = query.collect(engine="in-memory")  # planning for any other costs a small drop half its time
        frame = _with_values(self._with_misread(frame), self._derived)
        try:
            flags = frame.select(rule.broken(frame).alias(str(number)) for number, rule in enumerate(rules))
        except FAILURES:  # a rule fails on a row
            found = [pair for rule in rules for pair in rule.flags(frame)]
            flags = pl.DataFrame([broken.alias(str(number)) for number, (_, broken) in enumerate(found)])
            return frame, [rule for rule, _ in found], flags
        return frame, rules, flags

    def _with_misread(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with cells of a wrong type rescued too, where the contract says so."""
        any_misread = frame.select(misread(column).any().alias(column) for column in self._rescuing)
        columns = [found.name for found in any_misread.iter_columns() if found.item()]
        if not columns:
            return frame
        members = [_member(column, pl.when(misread(column)).then(cell(column))) for column in columns]
        inside = pl.col("_rescued").str.strip_prefix("{").str.strip_suffix("}")
        joined = pl.concat_str(inside, *members, separator=",", ignore_nulls=True)
        return frame.with_columns(pl.when(joined != "").then("{" + joined + "}").alias("_rescued"))


def _with_values(frame: pl.DataFrame, derived: Mapping[str, pl.Expr]) -> pl.DataFrame:
    try:
        return frame.with_columns(value.alias(column) for column, value in derived.items())
    except FAILURES:
        return frame.with_columns(evaluated(frame, value, None).alias(column) for column, value in derived.items())


def _in_order(plain: pl.DataFrame | None, others: pl.DataFrame) -> pl.DataFrame:
    if plain is None or not plain.height:
        return others
    return pl.concat([plain, others]).sort("_line") if others.height else plain


def _cell(contract: Contract, column: str, numbers: NumberFormat) -> pl.Expr:
    """The text of each cell, null where it is a missing code; without blanks at its ends, but for text columns."""
    text, kind = pl.col(raw_name(column)), contract.kinds[column]
    stripped = text.str.strip_chars()
    is_missing = stripped.is_in(contract.missing(column))
    codes = contract.missing_numbers(column)
    if codes is not None:
        is_missing |= kind.read(stripped, contract.reading(column, numbers)).is_in(codes.implode()).fill_null(False)
    return pl.when(~is_missing).then(text if kind.is_text else stripped).alias(cell_name(column))


def _unknown_cell(name: str) -> pl.Expr:
    text = pl.col(raw_name(name))
    return pl.when(text.str.strip_chars() != "").then(text).alias(cell_name(name))


def _typed(
    contract: Contract, found: dict[str, str], numbers: NumberFormat, loaded: Sequence[str]
) -> Iterator[pl.Expr]:
    for column, dtype in contract.types().items():
        if column not in loaded:
            how = contract.reading(column, numbers)
            default = pl.lit(contract.columns[column].default, dtype)
            if column in found:
                value = contract.kinds[column].read(cell(column), how)
                has_default = contract.columns[column].default is not None
                yield (pl.when(cell(column).is_null()).then(default).otherwise(value) if has_default else value).alias(
                    column
                )
            else:
                yield default.alias(column)


def _member(name: str, text: pl.Expr) -> pl.Expr:
    encoded = pl.struct(text.alias(name)).struct.json_encode()
    return pl.when(text.is_not_null()).then(encoded.str.strip_prefix("{").str.strip_suffix("}"))
