"""What a contract may not say: found when it is declared, not when its first drop comes.

The intake validates a drop batch by batch, so it can do less than pandera: what it would not do, or would do only at
the first drop, is a fault of the contract.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pandera.polars as pa
import polars as pl

from lastmile.contracts.casts import Reading
from lastmile.contracts.checks import is_row_separable, tried
from lastmile.contracts.contradictions import contradictions
from lastmile.contracts.headers import headers
from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS, is_unnamed, normal_name
from lastmile.contracts.types import Kind, annotations, kind_of

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract

#: What pandera can be asked of a column and the intake does not do: attribute, its idle value, what to do instead.
NOT_DONE: tuple[tuple[str, object, str], ...] = (
    (
        "unique",
        False,
        "drops are validated in batches; name the column in `key`, and what becomes of repeats in `policy.duplicates`",
    ),
    ("parsers", [], "pandera runs none on polars data; give the column's field a `derived` expression"),
)
#: The same of a whole schema.
NOT_DONE_BY_TABLE: tuple[tuple[str, object, str], ...] = (
    ("unique", None, "name the columns in `key`, and what becomes of repeats in `policy.duplicates`"),
    ("strict", False, "say what becomes of unknown columns in `policy.unknown_columns`"),
    ("ordered", False, "columns are found by their header, in any order"),
    ("drop_invalid_rows", False, "bad rows are quarantined; say how many may be in `policy.max_bad_share`"),
    ("parsers", [], "pandera runs none on polars data; give a column's field a `derived` expression"),
)
#: Words of `field` that only some types have, and which.
MEANT_FOR: dict[Literal["formats", "true", "false", "symbols", "separator", "scale"], tuple[str, ...]] = {
    "formats": ("date", "timestamp", "time of day"),
    "true": ("boolean",),
    "false": ("boolean",),
    "symbols": ("number", "whole number", "decimal"),
    "separator": ("list of codes",),
    "scale": ("decimal",),
}
#: Columns of a contract: a table of Postgres has at most 1,600, some of which say where a row came from.
#: https://www.postgresql.org/docs/current/limits.html
MOST_COLUMNS = 1_590
#: Samples of a format of dates and times are written by it and read again.
MOMENT = datetime(2024, 12, 31, 14, 30, tzinfo=UTC)


def faults(contract: "Contract") -> Iterator[str]:
    """A sentence for each thing in a dataset's declaration that cannot be done: what it is, and what to do."""
    columns = contract.columns
    if len(columns) > MOST_COLUMNS:
        yield (
            f"it declares {len(columns):,} columns; a table of Postgres has at most 1,600, so a contract at most "
            f"{MOST_COLUMNS:,}: declare those that are worked with, the others are kept as JSON in `_rescued`"
        )
        return
    yield from _unknown_choices(contract.policy)
    yield from _unknown_choices(contract.format)
    misnamed = [word for word in (contract.name, *columns) if not COLUMN_NAME.fullmatch(word)]
    if misnamed:
        yield f"{misnamed} must be {COLUMN_NAME_IN_WORDS}; headers are matched in any case"
    yield from _of_key(contract)
    yield from _of_partition(contract)
    for column, spec in contract.table.columns.items():
        yield from _of_column(column, spec)
    for asked, idle, instead in NOT_DONE_BY_TABLE:
        if getattr(contract.table, asked) not in (idle, None):
            yield f"its schema says {asked}={getattr(contract.table, asked)!r}, which the intake does not do: {instead}"
    for pattern in contract.patterns:
        yield from _of_pattern(contract, pattern)
    yield from _shared_headers(columns)
    if len(contract.kinds) == len(contract.table.columns):
        in_columns = [*_of_reading(contract), *_of_checks(contract)]
        yield from in_columns or contradictions(contract)


def _unknown_choices(settings: Any) -> Iterator[str]:
    for name, hint in get_type_hints(type(settings)).items():
        literals = [part for part in (hint, *get_args(hint)) if get_origin(part) is Literal]
        allowed = [choice for literal in literals for choice in get_args(literal)]
        value = getattr(settings, name)
        if allowed and value is not None and value not in allowed:
            yield f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}"


def _of_key(contract: "Contract") -> Iterator[str]:
    if isinstance(contract.key, str):
        yield f"key is the text {contract.key!r}; expected a tuple of columns, such as ({contract.key!r},)"
        return
    unknown = [word for word in contract.key if word not in contract.columns]
    if unknown:
        yield f"key names {unknown}, which are not among its columns {list(contract.columns)}"
    for name in contract.key:
        if name in contract.kinds and not contract.kinds[name].is_key:
            yield f"key names {name}, a {contract.kinds[name].name}, which cannot identify a row; name others"


def _of_partition(contract: "Contract") -> Iterator[str]:
    name = contract.partition.column
    if name is None:
        return
    kind = contract.kinds.get(name)
    if name not in contract.columns or kind is None or kind.name not in ("date", "timestamp"):
        yield f"partition names column {name}; expected a date or a timestamp among {list(contract.columns)}"
    elif contract.columns[name].nullable:
        yield f"partition names column {name}, which may be null, so that a row would have none; make it nullable=False"


def _of_column(name: str, spec: pa.Column) -> Iterator[str]:
    if kind_of(spec) is None:
        yield (
            f"column {name} has type {spec.dtype.type}; expected one of {annotations()}, or what polars calls "
            'the same: a point in time is `pl.Datetime("us", "UTC")`'
        )
    for asked, idle, instead in NOT_DONE:
        if getattr(spec, asked) != idle:
            yield f"column {name} says {asked}={getattr(spec, asked)!r}, which the intake does not do: {instead}"


def _of_pattern(contract: "Contract", pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"{pattern!r} is no pattern of column names: {error}; expected a regular expression such as crop_\\w+_kg"
        return
    fitting = [name for name in contract.columns if re.fullmatch(pattern, name)]
    if fitting:
        yield f"pattern {pattern!r} fits columns {fitting} too, which are declared by themselves; make it narrower"


def _of_reading(contract: "Contract") -> Iterator[str]:
    """What is said of how cells are read, tried."""
    for name, spec in contract.table.columns.items():
        metadata, kind, dtype = contract.metadata(name), contract.kinds[name], spec.dtype.type
        for form in metadata["formats"]:
            yield from (f"column {name}: {fault}" for fault in _of_format(form, kind, contract.reading(name)))
        for said, kinds in MEANT_FOR.items():
            if metadata[said] and kind.name not in kinds:
                yield f"column {name} says {said}, which is for {' or '.join(kinds)}; it is of type {kind.annotation}"
        if spec.default is not None:
            yield from _of_default(name, spec.default, dtype)
        if metadata["derived"] is not None:
            yield from _of_derived(contract, name, metadata["derived"])


def _of_format(form: str, kind: Kind, how: Reading) -> Iterator[str]:
    if form in ("iso", "excel") or kind.name not in MEANT_FOR["formats"]:
        return
    written = MOMENT.strftime(form.replace("%.f", "").replace("%#z", "%z"))
    try:
        value = pl.select(kind.read(pl.lit(written), replace(how, formats=(form,)))).item()
    except pl.exceptions.PolarsError as error:
        value, written = None, str(error).splitlines()[0]
    if value is None:
        yield (
            f"format {form!r} cannot be read ({written}); expected one of strptime such as %d/%m/%Y, or iso or excel"
        )


def _of_default(name: str, default: Any, dtype: pl.DataType) -> Iterator[str]:
    try:
        pl.Series([default], dtype=dtype, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        yield f"column {name} has default {default!r}; expected a value of type {dtype}"


def _of_derived(contract: "Contract", name: str, derived: pl.Expr) -> Iterator[str]:
    unknown = [root for root in derived.meta.root_names() if root not in contract.columns]
    if unknown:
        yield f"column {name} is derived from {unknown}; expected some of {list(contract.columns)}"
        return
    others = [root for root in derived.meta.root_names() if contract.metadata(root)["derived"] is not None]
    if others:
        yield f"column {name} is derived from {others}, which are derived themselves; derive it from what files bring"
    try:
        found = pl.DataFrame(schema=contract.types()).select(derived).to_series()
    except pl.exceptions.PolarsError as error:
        yield f"column {name} cannot be derived: {str(error).splitlines()[0]}"
        return
    if not is_row_separable(derived):
        yield f"column {name} is derived from other rows too; expected an expression over its own row"
    if found.dtype != contract.types()[name]:
        yield f"column {name} is derived as {found.dtype}; expected {contract.types()[name]}: cast it"


def _shared_headers(columns: Mapping[str, pa.Column]) -> Iterator[str]:
    first: dict[str, tuple[str, str]] = {}
    for header, column in headers(columns):
        other_header, other = first.setdefault(normal_name(header) or header, (header, column))
        if is_unnamed(header):
            yield f"alias {header!r} of column {column} shows nothing, so no header can be matched with it"
        elif other != column:
            yield (
                f"header {header!r} of column {column} and header {other_header!r} of column {other} are the same to "
                "the intake, which compares their words and signs only: take it from one of them"
            )


def _of_checks(contract: "Contract") -> Iterator[str]:
    compiled = contract.compiled
    yield from (_of_check(column, name, why) for column, name, why in compiled.unusable)
    types = {name: spec.dtype.type for name, spec in contract.table.columns.items()}
    samples = {name: kind.sample for name, kind in contract.kinds.items()}
    every = [check for checks in compiled.checks.values() for check in checks]
    yield from (_of_check(check.column, check.check.name, why) for check, why in tried(every, types, samples))


def _of_check(column: str | None, name: str | None, why: str) -> str:
    return f"{f'column {column}: check' if column else 'rule'} {name} {why}"
