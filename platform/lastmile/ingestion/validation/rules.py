"""What can be wrong with a row, each as a flag over a batch and in words a person can act on.

The checks come from the contract's pandera schema. Those it is usually made of become polars expressions, once per
plan; any other is called on the typed batch, as pandera itself would. Uniqueness needs the whole drop: not judged here.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.lean_pandera import pa
from lastmile.ingestion.batch import NumberFormat
from lastmile.ingestion.validation.casts import PLAIN, reading

#: Longest key of a row, in bytes over all its texts. An index of Postgres takes 2,704 with what it keeps beside them.
LONGEST_KEY = 2_000

#: How many allowed values a reason lists.
LISTED = 12


@dataclass(frozen=True)
class Rule:
    """`broken` flags the rows of a frame that break it; null is no break. The cells of `shown` columns explain it."""

    name: str
    column: str | None
    expected: str
    broken: Callable[[pl.DataFrame], pl.Expr | pl.Series]
    shown: tuple[str, ...] = ()


def raw_name(column: str) -> str:
    """The name of a column as read; unknown ones may be called anything, even what polars takes for a pattern."""
    return f"raw {column}"


def cell_name(column: str) -> str:
    """The name of a column's texts, null where missing, beside the typed column: the blank keeps the names apart."""
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


def text_rules(column: str, longest: int) -> Iterator[Rule]:
    """What Postgres cannot hold (NUL), and what is longer than the contract lets a cell be."""
    has_nul = cell(column).str.contains("\0", literal=True)
    too_long = cell(column).str.len_chars() > longest
    yield _rule("nul", column, "text without NUL characters, which the warehouse cannot hold", has_nul)
    yield _rule("size", column, f"at most {longest:,} characters (limits.cell_characters)", too_long)


def column_rules(contract: Contract, column: str, numbers: NumberFormat = PLAIN) -> Iterator[Rule]:
    spec = contract.columns[column]
    is_text = spec.dtype.type == pl.String
    is_rescued = contract.wrong_type == "rescue" and spec.nullable
    if not is_text and not is_rescued:
        yield _rule("type", column, reading(spec.dtype.type, numbers)[1], misread(column))
    if not spec.nullable:
        yield _rule("required", column, "a value", cell(column).is_null())
    if is_text or is_rescued:
        yield from text_rules(column, contract.limits.cell_characters)
    yield from check_rules(contract, column)


def check_rules(contract: Contract, column: str) -> Iterator[Rule]:
    """What the contract asks of a column's values, once they have its type."""
    for check in contract.columns[column].checks:
        yield _check_rule(contract, check, column)


def key_rules(contract: Contract, found: Collection[str]) -> Iterator[Rule]:
    """What no index can hold, and so no row be found by."""
    texts = [name for name in contract.key if name in found and contract.columns[name].dtype.type == pl.String]
    if texts:
        length = pl.sum_horizontal(cell(name).str.len_bytes() for name in texts)
        expected = f"a key ({', '.join(contract.key)}) of at most {LONGEST_KEY:,} bytes, by which rows are told apart"
        column = contract.key[0] if len(contract.key) == 1 else None
        yield Rule("key_length", column, expected, lambda _: length > LONGEST_KEY, contract.key)


def row_rules(contract: Contract) -> Iterator[Rule]:
    for check in contract.rules:
        yield _check_rule(contract, check, None)


def _rule(name: str, column: str, expected: str, broken: pl.Expr) -> Rule:
    return Rule(name, column, expected, lambda _: broken, (column,))


def _check_rule(contract: Contract, check: pa.Check, column: str | None) -> Rule:
    statistics = check.statistics or {}
    if column is None and "holds" in statistics:
        holds = statistics["holds"]
        shown = tuple(dict.fromkeys(holds.meta.root_names()))
        broken = _breaks(check, holds)
        return Rule(check.name or "rule", None, check.error or str(holds), lambda _: broken, shown)
    if column is not None and check.name in _BUILT_IN:
        name, holds, expected = _BUILT_IN[check.name](pl.col(column), statistics)
        return _rule(name, column, _own_words(check) or expected, _breaks(check, holds))
    return _called_rule(contract, check, column)


def _breaks(check: pa.Check, holds: pl.Expr) -> pl.Expr:
    return ~holds if check.ignore_na else ~holds.fill_null(False)


def _own_words(check: pa.Check) -> str | None:
    """The message its author gave the check; pandera's own is the check's name with its arguments."""
    return None if (check.error or "").startswith(f"{check.name}(") else check.error


def _called_rule(contract: Contract, check: pa.Check, column: str | None) -> Rule:
    def broken(frame: pl.DataFrame) -> pl.Series:
        typed = frame.lazy().select(list(contract.columns))
        holds: pl.Series = check(typed, column).check_output.collect().to_series()
        return ~holds

    name = check.name or "check"
    if len(broken(pl.DataFrame(schema=dict(contract.types())))):
        raise ValueError(
            f"contract {contract.name}: check {name!r} gives one answer for all rows. Drops are judged in batches, so "
            "it must give one for each row: return data.lazyframe.select(<an expression over its rows>)."
        )
    expected = check.error or check.description or f"check {name} to hold"
    return Rule(name, column, expected, broken, () if column is None else (column,))


def _at_least(value: pl.Expr, low: Any) -> tuple[str, pl.Expr, str]:
    return "at_least", value >= low, f"at least {_shown(low)}"


def _at_most(value: pl.Expr, high: Any) -> tuple[str, pl.Expr, str]:
    return "at_most", value <= high, f"at most {_shown(high)}"


def _shown(bound: Any) -> str:
    """A bound as a person writes it: 1,000,000 rather than 1000000.0."""
    return f"{bound:,.15g}" if isinstance(bound, float) else f"{bound:,}" if isinstance(bound, int) else str(bound)


def _allowed(value: pl.Expr, allowed: Any) -> tuple[str, pl.Expr, str]:
    texts = [str(option) for option in allowed]
    listed = ", ".join(texts[:LISTED]) + (f", ... ({len(texts)} in all)" if len(texts) > LISTED else "")
    return "allowed", value.is_in(allowed), f"one of {listed}"


def _matches(value: pl.Expr, pattern: str | re.Pattern[str]) -> tuple[str, pl.Expr, str]:
    pattern = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    anchored = pattern if pattern.startswith("^") else f"^{pattern}"
    bare = re.sub(r"^\^\(\?:(.*)\)\$$", r"\1", pattern, flags=re.DOTALL)
    return "matches", value.str.contains(anchored), f"the form {bare}"


#: pandera's name of a check: ours, what holds for a good value, and that in words.
_BUILT_IN: dict[str, Callable[[pl.Expr, Mapping[str, Any]], tuple[str, pl.Expr, str]]] = {
    "greater_than_or_equal_to": lambda value, given: _at_least(value, given["min_value"]),
    "less_than_or_equal_to": lambda value, given: _at_most(value, given["max_value"]),
    "isin": lambda value, given: _allowed(value, given["allowed_values"]),
    "str_matches": lambda value, given: _matches(value, given["pattern"]),
}


def is_by_row(contract: Contract) -> bool:
    """Whether every check looks at each row for itself, so that rows of several drops can be judged as one batch."""
    of_columns = all(check.name in _BUILT_IN for spec in contract.columns.values() for check in spec.checks)
    of_rows = (check.statistics or {} for check in contract.rules)
    return of_columns and all("holds" in known and known["holds"].meta.is_row_separable() for known in of_rows)
