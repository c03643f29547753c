"""Rows that are plainly right, seen at a fraction of the cost of judging them.

Most cells of most drops are written as their type is, without blanks around them, and keep every rule. They are cast
as they stand. Wherever that leaves a doubt (a cell that did not cast, a blank at an end, a rule that does not hold) the
whole row is left to the plan, which knows every form a value can have and every reason it can be refused for. So a
plain row has the very values the plan would have found in it.
"""

from collections.abc import Collection, Iterator, Mapping

import polars as pl

from lastmile.contracts.casts import NumberFormat
from lastmile.contracts.contract import Contract
from lastmile.ingestion.validation.rules import (
    any_broken,
    cell_name,
    check_rules,
    derived_values,
    raw_name,
    rules_of,
)

#: Where Unicode has blanks that are no ASCII, as ranges of texts that start with one.
_BLANKS = (("\x85", "\xa1"), ("\u1680", "\u1681"), ("\u2000", "\u2060"), ("\u3000", "\u3001"))


class FastPath:
    """Finds them in drops with one header. `found` gives the header of each column that the drop has.

    The cells of columns in `typed` are no texts but values, of types that are cast to the columns' own without loss.
    """

    def __init__(
        self, contract: Contract, found: Mapping[str, str], numbers: NumberFormat, typed: Collection[str] = ()
    ) -> None:
        types = contract.types()
        self._contract = contract
        self._typed = frozenset(typed)
        self._texts = [name for name in found if contract.kinds[name].is_text]
        self._others = [name for name in found if not contract.kinds[name].is_text]
        self._cells = [_text(name, contract).alias(cell_name(name)) for name in self._texts]
        values = {
            name: pl.col(raw_name(name)).cast(types[name], strict=False)
            if name in self._typed
            else _value(name, contract, numbers)
            for name in self._others
        }
        missing = {
            name: pl.col(raw_name(name)).is_null() if name in self._typed else _is_missing(name, contract)
            for name in found
        }
        self._values = [
            *(_with_default(name, contract, pl.col(cell_name(name)), missing).alias(name) for name in self._texts),
            *(_with_default(name, contract, value, missing).alias(name) for name, value in values.items()),
            *(
                pl.lit(contract.columns[name].default, dtype).alias(name)
                for name, dtype in types.items()
                if name not in found
            ),
        ]
        derived = derived_values(contract, (), missing)
        self._derived = [value.alias(name) for name, value in derived.items()]
        self._rules = list(rules_of(contract, found, lambda name: check_rules(contract, name)))

    def typed(self, raw: pl.LazyFrame) -> pl.LazyFrame:
        """All rows with every column of the contract; only those of plain rows are to be trusted."""
        return raw.with_columns(self._cells).with_columns(self._values).with_columns(self._derived)

    def are_valid(self, typed: pl.DataFrame, nul_free: bool) -> pl.Series:
        """Which rows of a frame that `typed` made are plain. `nul_free` says that no cell has a NUL character."""
        doubts: list[pl.Expr | pl.Series] = [
            *(doubt for name in self._texts for doubt in self._doubts_of_text(name, typed[raw_name(name)], nul_free)),
            *(doubt for name in self._others for doubt in self._doubts_of_value(name, typed[name])),
            *(rule.broken(typed) for rule in self._rules),
        ]
        flags = typed.select(doubt.alias(str(number)) for number, doubt in enumerate(doubts))
        return ~any_broken(flags, typed.height)

    def _doubts_of_text(self, column: str, texts: pl.Series, nul_free: bool) -> Iterator[pl.Expr]:
        raw, missing = pl.col(raw_name(column)), self._contract.missing(column)
        yield (raw < "!") & (raw != "") if "" in missing else raw < "!"
        if str(texts.max() or "") >= _BLANKS[0][0]:
            for first, behind in _BLANKS:
                yield (raw >= first) & (raw < behind)
        for code in filter(None, missing):
            yield raw.str.starts_with(code) & (raw != code)
        yield raw.str.len_bytes() > self._contract.limits.cell_characters
        if not nul_free:
            yield raw.str.contains("\0", literal=True)
        if not self._contract.columns[column].nullable:
            yield pl.col(column).is_null()

    def _doubts_of_value(self, column: str, values: pl.Series) -> Iterator[pl.Expr]:
        value = pl.col(column)
        if values.dtype.is_float():
            yield ~value.is_finite()
        codes = self._contract.missing_numbers(column)
        if codes is not None:  # written unlike the missing code
            yield value.is_in(codes.implode())
        if values.null_count() and self._contract.columns[column].nullable:
            raw = pl.col(raw_name(column))
            is_known = raw.is_null() if column in self._typed else raw.is_in(self._contract.missing(column))
            yield value.is_null() & ~is_known
        elif values.null_count():
            yield value.is_null()


def _text(column: str, contract: Contract) -> pl.Expr:
    raw = pl.col(raw_name(column))
    return pl.when(~raw.is_in(contract.missing(column))).then(raw)


def _is_missing(column: str, contract: Contract) -> pl.Expr:
    raw = pl.col(raw_name(column))
    return raw.is_null() | raw.is_in(contract.missing(column))


def _with_default(column: str, contract: Contract, value: pl.Expr, missing: Mapping[str, pl.Expr]) -> pl.Expr:
    default = contract.columns[column].default
    if default is None:
        return value
    of_type = pl.lit(default, contract.types()[column])
    return pl.when(missing[column]).then(of_type).otherwise(value)


def _value(column: str, contract: Contract, numbers: NumberFormat) -> pl.Expr:
    raw, missing = pl.col(raw_name(column)), contract.missing(column)
    kind, how = contract.kinds[column], contract.reading(column, numbers)
    of_missing = pl.select(kind.usual(pl.lit(pl.Series(missing, dtype=pl.String)), how)).to_series()
    is_a_value = of_missing.is_not_null().any()
    return kind.usual(pl.when(~raw.is_in(missing)).then(raw) if is_a_value else raw, how)
