"""What a contract may not say: found when it is declared, not when its first drop comes.

The intake validates a drop batch by batch, so it can do less than pandera: what it would not do, or would do only at
the first drop, is a fault of the contract.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pandera.polars as pa

from lastmile.contracts.checks import tried
from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS, normal_name
from lastmile.contracts.types import annotations, kind_of

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract

#: What pandera can be asked of a column and the intake does not do: attribute, its idle value, what to do instead.
NOT_DONE: tuple[tuple[str, object, str], ...] = (
    (
        "unique",
        False,
        "drops are validated in batches; name the column in `key`, and what becomes of repeats in `policy.duplicates`",
    ),
    ("regex", False, "declare each column under its own name, others in its `aliases`"),
    ("default", None, "a missing value stays missing; put a default into the SQL that reads the table"),
    ("parsers", [], "pandera runs none on polars data; values are loaded as they were sent"),
)
#: The same of a whole schema.
NOT_DONE_BY_TABLE: tuple[tuple[str, object, str], ...] = (
    ("unique", None, "name the columns in `key`, and what becomes of repeats in `policy.duplicates`"),
    ("strict", False, "say what becomes of unknown columns in `policy.unknown_columns`"),
    ("ordered", False, "columns are found by their header, in any order"),
    ("drop_invalid_rows", False, "bad rows are quarantined; say how many may be in `policy.max_bad_share`"),
    ("parsers", [], "pandera runs none on polars data; values are loaded as they were sent"),
)


def faults(contract: "Contract") -> Iterator[str]:
    """A sentence for each thing in a dataset's declaration that cannot be done: what it is, and what to do."""
    columns = contract.columns
    yield from _unknown_choices(contract.policy)
    yield from _unknown_choices(contract.format)
    misnamed = [word for word in (contract.name, *columns) if not COLUMN_NAME.fullmatch(word)]
    if misnamed:
        yield f"{misnamed} must be {COLUMN_NAME_IN_WORDS}; headers are matched in any case"
    yield from _of_key(contract)
    for column, spec in columns.items():
        yield from _of_column(column, spec)
    for asked, idle, instead in NOT_DONE_BY_TABLE:
        if getattr(contract.table, asked) not in (idle, None):
            yield f"its schema says {asked}={getattr(contract.table, asked)!r}, which the intake does not do: {instead}"
    yield from _shared_headers(columns)
    if len(contract.kinds) == len(columns):
        yield from _of_checks(contract)


def _unknown_choices(settings: Any) -> Iterator[str]:
    for name, hint in get_type_hints(type(settings)).items():
        allowed = [
            choice for part in (hint, *get_args(hint)) if get_origin(part) is Literal for choice in get_args(part)
        ]
        value = getattr(settings, name)
        if allowed and value is not None and value not in allowed:
            yield f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}"


def _of_key(contract: "Contract") -> Iterator[str]:
    unknown = [word for word in contract.key if word not in contract.columns]
    if unknown:
        yield f"key names {unknown}, which are not among its columns {list(contract.columns)}"
    for name in contract.key:
        if name in contract.kinds and not contract.kinds[name].is_key:
            yield f"key names {name}, a {contract.kinds[name].name}, by which rows cannot be told apart; name others"


def _of_column(name: str, spec: pa.Column) -> Iterator[str]:
    if kind_of(spec) is None:
        yield (
            f"column {name} has type {spec.dtype.type}; expected one of {annotations()}, or what polars calls the same: "
            'a point in time is `pl.Datetime("us", "UTC")`'
        )
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
            yield f"alias {header!r} of column {column} has no letter or digit, so that no header can be matched with it"
        elif other != column:
            yield (
                f"header {header!r} of column {column} and header {other_header!r} of column {other} are the same to "
                "the intake, which knows no case or punctuation: take it from one of them"
            )


def _of_checks(contract: "Contract") -> Iterator[str]:
    compiled = contract.compiled
    yield from (_of_check(column, name, why) for column, name, why in compiled.unusable)
    samples = {name: kind.sample for name, kind in contract.kinds.items()}
    every = [check for checks in compiled.checks.values() for check in checks]
    yield from (
        _of_check(check.column, check.check.name, why) for check, why in tried(every, contract.types(), samples)
    )


def _of_check(column: str | None, name: str | None, why: str) -> str:
    return f"{f'column {column}: check' if column else 'rule'} {name} {why}"
