"""What a contract may not say: found when it is declared, not when its first drop comes.

The intake judges a drop batch by batch and column by column name, so it can do less than pandera: what it would not do,
or would do only at the first drop, is a fault of the contract.
"""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from lastmile.contracts.lean_pandera import pa
from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS, normal_name

TYPES = (pl.Float64(), pl.Int64(), pl.Boolean(), pl.Date(), pl.Datetime("us", "UTC"), pl.String())
#: What pandera can be asked for and the intake does not do: attribute, its idle value, what to do instead.
NOT_DONE: tuple[tuple[str, object, str], ...] = (
    (
        "unique",
        False,
        "drops are judged in batches; name the column in `key`, and what becomes of repeats in `duplicates`",
    ),
    ("regex", False, "declare each column under its own name, others in its `aliases`"),
    ("default", None, "a missing value stays missing; put a default into the SQL that reads the table"),
    ("parsers", [], "values are loaded as they were sent; change them in the SQL that reads the table"),
)


def faults(name: str, columns: Mapping[str, pa.Column], key: Sequence[str], rules: Sequence[pa.Check]) -> Iterator[str]:
    """A sentence for each thing in a dataset's declaration that cannot be done: what it is, and what to do."""
    misnamed = [word for word in (name, *columns) if not COLUMN_NAME.fullmatch(word)]
    if misnamed:
        yield f"{misnamed} must be {COLUMN_NAME_IN_WORDS}; headers are matched in any case"
    unknown = [word for word in key if word not in columns]
    if unknown:
        yield f"key names {unknown}, which are not among its columns {list(columns)}"
    for column, spec in columns.items():
        yield from _of_column(column, spec)
    yield from _shared_headers(columns)
    if all(spec.dtype.type in TYPES for spec in columns.values()):
        yield from _of_checks(columns, rules)


def _of_column(name: str, spec: pa.Column) -> Iterator[str]:
    if spec.dtype.type not in TYPES:
        yield f"column {name} has type {spec.dtype.type}; expected one of {', '.join(map(str, TYPES))}"
    for asked, idle, instead in NOT_DONE:
        if getattr(spec, asked) != idle:
            yield f"column {name} says {asked}={getattr(spec, asked)!r}, which the intake does not do: {instead}"


def headers(columns: Mapping[str, pa.Column]) -> Iterator[tuple[str, str]]:
    """Every header that stands for a column, as declared, and that column."""
    for column, spec in columns.items():
        yield column, column
        for alias in (spec.metadata or {}).get("aliases", ()):
            yield alias, column


def _shared_headers(columns: Mapping[str, pa.Column]) -> Iterator[str]:
    first: dict[str, tuple[str, str]] = {}
    for header, column in headers(columns):
        other_header, other = first.setdefault(normal_name(header), (header, column))
        if not normal_name(header):
            yield f"alias {header!r} of column {column} has no letter or digit, so no header can be told to be it"
        elif other != column:
            yield (
                f"header {header!r} of column {column} and header {other_header!r} of column {other} are the same to "
                "the intake, which knows no case or punctuation: take it from one of them"
            )


def _of_checks(columns: Mapping[str, pa.Column], rules: Sequence[pa.Check]) -> Iterator[str]:
    no_rows = pl.LazyFrame(schema={name: spec.dtype.type for name, spec in columns.items()})
    for check in rules:
        yield from _of_rule(check, columns, no_rows)


def _of_rule(check: pa.Check, columns: Mapping[str, pa.Column], no_rows: pl.LazyFrame) -> Iterator[str]:
    holds: pl.Expr | None = (check.statistics or {}).get("holds")
    unknown = [] if holds is None else [name for name in holds.meta.root_names() if name not in columns]
    if unknown:
        yield f"rule {check.name} names columns {unknown}; expected some of {list(columns)}"
        return
    try:
        asked: pl.LazyFrame = check(no_rows, None).check_output if holds is None else no_rows.select(holds)
        found = asked.collect().dtypes
    except pl.exceptions.PolarsError as error:
        yield f"rule {check.name} cannot be asked of a row: {str(error).splitlines()[0]}"
        return
    if found != [pl.Boolean()]:
        yield f"rule {check.name} gives {', '.join(map(str, found))} for a row; expected true or false"
