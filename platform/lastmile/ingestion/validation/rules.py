"""What can be wrong with a row, each as a flag over a batch and in words a person can act on.

The checks come from the contract's pandera schema, nearly all of them as expressions over the typed batch; the others
are called on it, as pandera itself would. Uniqueness needs the whole drop: it is not looked at here.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

import polars as pl

from lastmile.contracts.casts import PLAIN, NumberFormat
from lastmile.contracts.checks import FAILURES, RowCheck, is_row_separable
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation.evaluation import failing, without_failures

#: Longest key of a row, in bytes over all its texts. An index of Postgres takes 2,704 with what it stores alongside.
LONGEST_KEY = 2_000
#: How many different errors of a rule are named in a batch.
MOST_ERRORS = 20
#: Rows of a batch on which a rule that is no expression over its row may fail: each is looked for by calling it again.
MOST_FAILING = 2_000


@dataclass(frozen=True)
class Rule:
    """`broken` flags the rows of a frame that break it; null is no break. The cells of `shown` columns explain it."""

    name: str
    column: str | None
    expected: str
    broken: Callable[[pl.DataFrame], pl.Expr | pl.Series]
    shown: tuple[str, ...] = ()
    #: What a reason says in addition where the rule failed on the row.
    failure: str = ""

    def flags(self, frame: pl.DataFrame) -> Iterator[tuple["Rule", pl.Series]]:
        """The rows that break it, then those on which it fails, under rules that say how.

        Raises Refused where it fails on rows together but on none alone.
        """
        broken, errors = self._flags(frame)
        yield self, broken
        listed = list(dict.fromkeys(errors.values()))[:MOST_ERRORS]
        for error in [*listed, None] if errors else []:
            rows = [row for row, found in errors.items() if (found if found in listed else None) == error]
            failure = "; the rule failed on this row" + (f": {error.rstrip('.')}" if error else "")
            yield replace(self, failure=failure), _positions(frame).is_in(rows)

    def _flags(self, frame: pl.DataFrame) -> tuple[pl.Series, dict[int, str]]:
        def evaluate(rows: pl.DataFrame) -> pl.Series:
            return rows.select(self.broken(rows)).to_series()

        try:
            return evaluate(frame), {}
        except FAILURES:
            broken = self.broken(frame.clear())
        if isinstance(broken, pl.Expr) and is_row_separable(broken):
            return without_failures(frame, broken, False)
        errors = dict(islice(failing(frame, evaluate), MOST_FAILING + 1))
        if len(errors) > MOST_FAILING:
            raise self._unanswered(f"it fails on more than {MOST_FAILING:,} of them, such as: {errors[min(errors)]}")
        good = _positions(frame).filter(~_positions(frame).is_in(list(errors)))
        none = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True)
        try:
            return none.scatter(good, evaluate(frame[good])), errors
        except FAILURES as error:
            raise self._unanswered(str(error).splitlines()[0]) from error

    def _unanswered(self, why: str) -> Refused:
        return Refused(
            f"rule {self.name} cannot be asked of these rows: {why.rstrip('.')}. Write it so that it gives null where "
            "there is no answer, such as with strict=False, in one expression"
        )


def _positions(frame: pl.DataFrame) -> pl.Series:
    return pl.Series(range(frame.height), dtype=pl.UInt32)


def raw_name(column: str) -> str:
    """The name of a column as read; unknown ones may be called anything, even what polars takes for a pattern."""
    return f"raw {column}"


def cell_name(column: str) -> str:
    """The name of a column's texts, null where missing, next to the typed column: a blank keeps the names distinct."""
    return f"cell {column}"


def cell(column: str) -> pl.Expr:
    return pl.col(cell_name(column))


def misread(column: str) -> pl.Expr:
    """True where there was a text and it did not fit the column's type."""
    return cell(column).is_not_null() & pl.col(column).is_null()


def any_broken(flags: pl.DataFrame, rows: int) -> pl.Series:
    """Per row, whether any of the flags is set; there may be none."""
    if not flags.width:
        return pl.repeat(False, rows, dtype=pl.Boolean, eager=True)
    return flags.select(pl.any_horizontal(pl.all()).fill_null(False)).to_series()


def rules_of(contract: Contract, found: Collection[str], of_column: Callable[[str], Iterator[Rule]]) -> Iterator[Rule]:
    """All rules of rows whose drop has the columns `found`; `of_column` gives those of one."""
    for column in contract.columns:
        if column in found:
            yield from of_column(column)
        elif contract.metadata(column)["derived"] is not None:
            yield from derived_rules(contract, column)
    yield from check_rules(contract, None)
    yield from partition_rules(contract)
    yield from key_rules(contract, found)


def text_rules(column: str, longest: int) -> Iterator[Rule]:
    """What Postgres cannot hold (NUL), and what is longer than the contract lets a cell be."""
    has_nul = cell(column).str.contains("\0", literal=True)
    too_long = cell(column).str.len_chars() > longest
    yield _rule("nul", column, "text without NUL characters, which the warehouse cannot hold", has_nul)
    yield _rule("size", column, f"at most {longest:,} characters (limits.cell_characters)", too_long)


def column_rules(contract: Contract, column: str, numbers: NumberFormat = PLAIN) -> Iterator[Rule]:
    spec, kind = contract.columns[column], contract.kinds[column]
    is_rescued = contract.policy.wrong_type == "rescue" and spec.nullable
    if not kind.is_text and not is_rescued:
        yield _rule("type", column, kind.expected(contract.reading(column, numbers)), misread(column))
    if not spec.nullable:
        is_missing = cell(column).is_null()
        if spec.default is not None or contract.metadata(column)["derived"] is not None:
            is_missing &= pl.col(column).is_null()
        yield _rule("required", column, "a value", is_missing)
    if kind.is_text or is_rescued:
        yield from text_rules(column, contract.limits.cell_characters)
    yield from check_rules(contract, column)


def check_rules(contract: Contract, column: str | None) -> Iterator[Rule]:
    """What the contract asks of a column's typed values; of whole rows where the column is None."""
    names = list(contract.columns)
    for check in contract.checks[column]:
        yield _check_rule(check, names)


def derived_rules(contract: Contract, column: str) -> Iterator[Rule]:
    """The same of a column that the file has not, explained by those it is derived from."""
    derived = contract.metadata(column)["derived"]
    shown = tuple(dict.fromkeys(derived.meta.root_names())) if derived is not None else ()
    if not contract.columns[column].nullable:
        yield Rule("required", None, f"{column}: expected a value", lambda _: pl.col(column).is_null(), shown)
    for rule in check_rules(contract, column):
        yield replace(rule, column=None, expected=f"{column}: expected {rule.expected}", shown=shown)


def derived_values(contract: Contract, loaded: Collection[str], missing: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """The values of derived columns, where the file has none: it tells by `missing`, or does not have the column."""
    found = {}
    for column in contract.columns:
        derived = contract.metadata(column)["derived"]
        if derived is not None and column not in loaded:
            found[column] = (
                pl.when(missing[column] & pl.col(column).is_null()).then(derived).otherwise(pl.col(column))
                if column in missing
                else derived
            )
    return found


def partition_rules(contract: Contract) -> Iterator[Rule]:
    """A row that has its partition by a column needs one that there is."""
    column = contract.partition.column
    if column is not None:
        first, after = contract.partition.bounds()
        day = pl.col(column).cast(pl.Date)
        expected = f"a day of a partition, {first} to {after - timedelta(days=1)}"
        yield _rule("partition", column, expected, ~day.is_between(first, after, closed="left"))


def key_rules(contract: Contract, found: Collection[str]) -> Iterator[Rule]:
    """What no index can hold, and so no row be found by."""
    texts = [name for name in contract.key if name in found and contract.kinds[name].is_text]
    if texts:
        length = pl.sum_horizontal(cell(name).str.len_bytes() for name in texts)
        expected = f"a key ({', '.join(contract.key)}) of at most {LONGEST_KEY:,} bytes, which identify a row"
        column = contract.key[0] if len(contract.key) == 1 else None
        yield Rule("key_length", column, expected, lambda _: length > LONGEST_KEY, contract.key)


def _rule(name: str, column: str, expected: str, broken: pl.Expr) -> Rule:
    return Rule(name, column, expected, lambda _: broken, (column,))


def _check_rule(check: RowCheck, columns: Sequence[str]) -> Rule:
    broken = check.breaks()
    if broken is None:
        return Rule(
            check.name, check.column, check.expected, lambda typed: check.call(typed.select(columns)), check.shown
        )
    return Rule(check.name, check.column, check.expected, lambda _: broken, check.shown)


def is_by_row(contract: Contract) -> bool:
    """Whether every check looks at each row for itself, so that rows of several drops can be validated as one batch."""
    return all(check.is_by_row for checks in contract.checks.values() for check in checks)
