"""Checks of pandera as expressions over a batch, and in words a person can act on.

A check is called once, when the contract is declared, with a lazy frame that remembers what is selected from it: that
is an expression over the typed columns, evaluated with all others in one pass over each batch. A check that does more
than to select from the frame is called on each batch, as pandera itself would.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import pandera.backends.polars.builtin_checks  # noqa: F401  # makes pandera's own checks known for polars
import pandera.polars as pa
import polars as pl
from pandera.api.function_dispatch import Dispatcher

#: What evaluating an expression may raise: errors of polars and its panics, and whatever Python code in it does.
FAILURES = (Exception, pl.exceptions.PanicException)
#: How many allowed values a reason lists.
LISTED = 12


class Unusable(Exception):
    """A check that cannot be asked of the rows of a batch. The message goes on from its name: why, and what to do."""


@dataclass(frozen=True)
class RowCheck:
    """A check as it is asked of each row of a typed frame; `column` is None for one across columns."""

    check: pa.Check
    column: str | None
    name: str
    #: What a good row is, in words.
    expected: str
    #: True, or null, for a good row; None where only calling it tells.
    expression: pl.Expr | None
    #: The columns whose cells explain it.
    shown: tuple[str, ...]
    #: Whether it looks at each row for itself, so that rows of several drops can be validated as one batch.
    is_by_row: bool

    def breaks(self) -> pl.Expr | None:
        """True for each bad row."""
        return None if self.expression is None else self._broken(self.expression)

    def call(self, typed: pl.DataFrame) -> pl.Series:
        """The same, by calling the check on a frame of the contract's columns alone."""
        answer = called(self.check, typed.lazy(), self.column)
        frame = (typed.lazy().select(answer) if isinstance(answer, pl.Expr) else answer).collect()
        holds = frame.to_series() if frame.width == 1 else frame.select(pl.all_horizontal(pl.all())).to_series()
        return pl.DataFrame({"holds": holds}).select(self._broken(pl.col("holds"))).to_series()

    def _broken(self, holds: pl.Expr) -> pl.Expr:
        return ~holds if self.check.ignore_na else ~holds.fill_null(False)


class _Remembering(pl.LazyFrame):
    """A lazy frame whose selections are known by what they select."""

    selected: tuple[pl.LazyFrame, list[pl.Expr]] | None = None

    def select(self, *exprs: Any, **named: Any) -> pl.LazyFrame:
        result = super().select(*exprs, **named)
        listed = [one for many in exprs for one in (many if isinstance(many, list | tuple) else [many])]
        wanted = [pl.col(one) if isinstance(one, str) else one for one in [*listed, *named.values()]]
        if isinstance(result, _Remembering):
            result.selected = (self, wanted)
        return result


class Compiled(NamedTuple):
    """The checks, and what is wrong with those that cannot be asked: column, name, and what to write instead."""

    checks: dict[str | None, list[RowCheck]]
    unusable: list[tuple[str | None, str | None, str]]


def compiled(checks: Mapping[str | None, Sequence[pa.Check]], columns: Mapping[str, pl.DataType]) -> Compiled:
    """The checks of each column, and under None those across columns, as they are asked of rows with these columns."""
    root = cast("_Remembering", _Remembering._from_pyldf(pl.LazyFrame(schema=dict(columns))._ldf))
    found = Compiled({}, [])
    for column, of_column in checks.items():
        found.checks[column] = []
        for check in of_column:
            try:
                found.checks[column].append(_compiled(check, column, root, columns))
            except Unusable as unusable:
                found.unusable.append((column, check.name, str(unusable)))
    return found


def _compiled(check: pa.Check, column: str | None, root: _Remembering, columns: Mapping[str, pl.DataType]) -> RowCheck:
    _expect_doable(check)
    expression = _traced(check, column, root, columns)
    name, expected = _described(check, expression)
    roots = (
        [] if expression is None else [root for root in expression.meta.root_names() if root]
    )  # "": elements of a list
    if unknown := [one for one in roots if one not in columns]:
        raise Unusable(f"names columns {unknown}; expected some of {list(columns)}")
    shown = (column,) if column else tuple(dict.fromkeys(roots))
    return RowCheck(check, column, name, expected, expression, shown, _is_by_row(expression, check, roots))


def _is_by_row(expression: pl.Expr | None, check: pa.Check, roots: Sequence[str]) -> bool:
    if expression is None or not roots:
        return False
    return isinstance(check._check_fn, Dispatcher) or is_row_separable(expression)


def is_row_separable(expression: pl.Expr) -> bool:
    """Whether it looks at each row for itself. polars looks at the outermost step only, so every step is asked."""
    try:
        return expression.meta.is_row_separable() and all(map(is_row_separable, expression.meta.pop()))
    except pl.exceptions.ColumnNotFoundError:  # of what is done with the elements of a list it cannot tell
        return False


def tried(
    checks: Sequence[RowCheck], columns: Mapping[str, pl.DataType], samples: Mapping[str, Any]
) -> Iterator[tuple[RowCheck, str]]:
    """Ask them of no row and of three; gives those whose answer is not true, false or null for each, and why.

    Expressions that look at each row are asked all at once, and one by one only where that fails.
    """
    cells = {name: [samples[name], samples[name], None] for name in columns}
    frames = [pl.DataFrame(schema=dict(columns)), pl.DataFrame(cells, schema=dict(columns))]
    plain = [check.expression for check in checks if check.is_by_row]
    if _are_answers(frames, [expression for expression in plain if expression is not None]):
        checks = [check for check in checks if not check.is_by_row]
    for check in checks:
        try:
            for frame in frames:
                _expect_answers(_answered(check, frame), frame.height)
        except Unusable as unusable:
            yield check, str(unusable)


def _are_answers(frames: Sequence[pl.DataFrame], expressions: Sequence[pl.Expr]) -> bool:
    try:
        answers = [
            frame.select(expression.alias(str(number)) for number, expression in enumerate(expressions))
            for frame in frames
        ]
    except FAILURES:
        return False
    return all(dtype == pl.Boolean for answer in answers for dtype in answer.dtypes)


def _expect_answers(frame: pl.DataFrame, rows: int) -> None:
    if [dtype for dtype in frame.dtypes if dtype != pl.Boolean] or not frame.width:
        found = ", ".join(map(str, frame.dtypes)) or "nothing"
        raise Unusable(f"gives {found} for a row; expected true or false")
    if frame.height != rows:
        raise Unusable(
            "gives one answer for all rows. Drops are validated in batches, so it must give one for each row: return "
            "data.lazyframe.select(<an expression over its rows>), or write a dbt test for what holds of a whole table"
        )


def _answered(check: RowCheck, rows: pl.DataFrame) -> pl.DataFrame:
    try:
        answer = called(check.check, rows.lazy(), check.column) if check.expression is None else check.expression
        return (rows.lazy().select(answer) if isinstance(answer, pl.Expr) else answer).collect()
    except Unusable:
        raise
    except FAILURES as error:
        raise Unusable(
            f"cannot be asked of {'a row' if rows.height else 'its columns'}: {str(error).splitlines()[0]}"
        ) from error


def called(check: pa.Check, frame: pl.LazyFrame, column: str | None) -> pl.LazyFrame | pl.Expr:
    """What the check returns for a frame. Raises Unusable where that is no answer for each row."""
    try:
        answer = check._check_fn(pa.PolarsData(frame, "*" if column is None else column), **check._check_kwargs)
    except pl.exceptions.PolarsError:
        raise
    except KeyError as error:
        raise Unusable(f"cannot be asked of polars data: pandera has it for other frames only ({error})") from error
    except Exception as error:
        raise Unusable(
            f"cannot be asked of polars data ({type(error).__name__}: {error}). It is called with `data` and returns "
            f"`data.lazyframe.select(...)`, such as `lambda data: data.lazyframe.select(pl.col(data.key) > 0)`; "
            "a check written for pandas, which gets a series, does not work here"
        ) from error
    if not isinstance(answer, pl.LazyFrame | pl.Expr):
        raise Unusable(
            f"gives {type(answer).__name__}; expected data.lazyframe.select(<an expression, true for a good row>)"
        )
    return answer


def _expect_doable(check: pa.Check) -> None:
    if check.name == "unique_values_eq":
        raise Unusable(
            "looks at a whole column, and drops are validated in batches: give the allowed values with `isin`, and "
            "write a dbt test for values that must occur"
        )
    if check.element_wise:
        raise Unusable(
            "is element-wise, a call in Python for every cell: write it as an expression, "
            "`lambda data: data.lazyframe.select(<expression over pl.col(data.key)>)`"
        )
    if check.groupby is not None:
        raise Unusable("says groupby, and drops are validated in batches: write a dbt test on the table instead")
    if check.raise_warning:
        raise Unusable("says raise_warning, and a row is good or bad: write a dbt test with severity warn instead")


def _traced(
    check: pa.Check, column: str | None, root: _Remembering, columns: Mapping[str, pl.DataType]
) -> pl.Expr | None:
    """The expression that it selects from the frame; None where it does anything else."""
    is_list = column is not None and columns[column] == pl.List
    of_elements = is_list and isinstance(check._check_fn, Dispatcher)
    answer = called(check, root, "" if of_elements else column)
    if isinstance(answer, _Remembering) and answer.selected and answer.selected[0] is root:
        wanted = answer.selected[1]
        if any(not isinstance(one, pl.Expr) or one.meta.has_multiple_outputs() for one in wanted):
            return None
        answer = wanted[0] if len(wanted) == 1 else pl.all_horizontal(wanted)
    if isinstance(answer, pl.Expr):
        return pl.col(str(column)).list.eval(answer).list.all() if of_elements else answer
    return None


def _built_in(check: pa.Check) -> str | None:
    """pandera's name of its own check, whatever its author calls it."""
    return check._check_fn._name if isinstance(check._check_fn, Dispatcher) else None


def allowed_values(check: pa.Check) -> list[Any] | None:
    """The only values that pass; None where they are not listed."""
    given = check.statistics or {}
    if _built_in(check) == "isin":
        return list(given["allowed_values"])
    return [given["value"]] if _built_in(check) == "equal_to" else None


def named_values(check: pa.Check) -> list[Any]:
    """Values that the check names as good: a list, or a pattern of nothing but texts to choose from (`^(KE|NA)$`)."""
    pattern = (check.statistics or {}).get("pattern") if _built_in(check) == "str_matches" else None
    if pattern is None:
        return allowed_values(check) or []
    choice = re.sub(r"\(\?:|[()^$]", "", getattr(pattern, "pattern", pattern))
    return choice.split("|") if re.fullmatch(r"[\w -]+(\|[\w -]+)*", choice) else []


def interval(check: pa.Check) -> tuple[Any, Any, bool, bool]:
    """Between what values pass, None where there is no bound, and whether the lower and the upper one do themselves."""
    given, built_in = check.statistics or {}, _built_in(check)
    low, high = given.get("min_value"), given.get("max_value")
    if built_in in ("greater_than_or_equal_to", "greater_than"):
        return low, None, built_in != "greater_than", False
    if built_in in ("less_than_or_equal_to", "less_than"):
        return None, high, False, built_in != "less_than"
    if built_in == "in_range":
        return low, high, given.get("include_min", True), given.get("include_max", True)
    return None, None, False, False


def _described(check: pa.Check, expression: pl.Expr | None) -> tuple[str, str]:
    """The rule's name and what it expects. An author's own words come before ours."""
    built_in = _built_in(check)
    own = check.error if built_in is None or not (check.error or "").startswith(f"{built_in}(") else None
    if built_in in BUILT_IN:
        name, words = BUILT_IN[built_in]
        return (name if check.name == built_in else str(check.name)), own or words(check.statistics or {})
    name = check.name if check.name and check.name != "<lambda>" else "check"
    described = (check.description or "").strip().split("\n\n")[0].replace("\n", " ")
    return name, own or described or (str(expression) if expression is not None else f"check {name} to hold")


def shown(value: Any) -> str:
    """A bound as a person writes it: 1,000,000 rather than 1000000.0."""
    return f"{value:,.15g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _listed(values: Any) -> str:
    texts = [str(option) for option in values]
    return ", ".join(texts[:LISTED]) + (f", ... ({len(texts)} in all)" if len(texts) > LISTED else "")


def _form(pattern: Any) -> str:
    text = pattern.pattern if isinstance(pattern, re.Pattern) else str(pattern)
    return re.sub(r"^\^(?:\(\?:(.*)\)|([^|]*))\$$", r"\1\2", text, flags=re.DOTALL)


def _between(given: Mapping[str, Any]) -> str:
    low, high = shown(given["min_value"]), shown(given["max_value"])
    without = [end for end, key in ((low, "include_min"), (high, "include_max")) if not given.get(key, True)]
    return f"between {low} and {high}" + (f", without {' and '.join(without)}" if without else "")


def _length(given: Mapping[str, Any]) -> str:
    low, high, exact = given.get("min_value"), given.get("max_value"), given.get("exact_value")
    if exact is not None or low == high:
        return f"{low if exact is None else exact} characters"
    if low is None or high is None:
        return f"at most {high} characters" if low is None else f"at least {low} characters"
    return f"{low} to {high} characters"


Words = Callable[[Mapping[str, Any]], str]
#: pandera's name of a check: the rule's name in reasons, and what it expects in words.
BUILT_IN: dict[str, tuple[str, Words]] = {
    "greater_than_or_equal_to": ("at_least", lambda given: f"at least {shown(given['min_value'])}"),
    "less_than_or_equal_to": ("at_most", lambda given: f"at most {shown(given['max_value'])}"),
    "greater_than": ("above", lambda given: f"more than {shown(given['min_value'])}"),
    "less_than": ("below", lambda given: f"less than {shown(given['max_value'])}"),
    "equal_to": ("equal", lambda given: shown(given["value"])),
    "not_equal_to": ("not_equal", lambda given: f"anything but {shown(given['value'])}"),
    "in_range": ("in_range", _between),
    "isin": ("allowed", lambda given: f"one of {_listed(given['allowed_values'])}"),
    "notin": ("forbidden", lambda given: f"none of {_listed(given['forbidden_values'])}"),
    "str_matches": ("matches", lambda given: f"the form {_form(given['pattern'])}"),
    "str_contains": ("contains", lambda given: f"a text with {_form(given['pattern'])} in it"),
    "str_startswith": ("starts_with", lambda given: f"a text that starts with {given['string']}"),
    "str_endswith": ("ends_with", lambda given: f"a text that ends with {given['string']}"),
    "str_length": ("length", _length),
}
