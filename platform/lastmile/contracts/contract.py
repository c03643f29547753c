"""What a dataset declares, once: everything else about it follows from here.

A contract is a pandera schema (polars flavour) with the metadata pandera has no place for: units, personal columns,
codes that mean "missing", the natural key, the partitioning, and what to do with what does not fit. The sensor, the
assets, the warehouse table, the dbt source and the checks are all made from it, so adding a dataset is adding a file.

    contract = Contract(
        name="crop",
        description="Crops a household grew in the survey year; one row per household and crop.",
        owner="field-data@example.org",
        partition=Partition("year", start=date(2010, 1, 1)),
        key=("hhid", "name"),
        columns={
            "hhid": text("Household the crop belongs to.", required=True, personal=True),
            "harvest_kg": number("Harvested in the year.", unit="kg", at_least=0, at_most=100_000),
        },
        rules=(rule("sold_within_harvest", pl.col("sold_kg") <= pl.col("harvest_kg"), "Sold at most the harvest."),),
    )
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, get_args, get_origin, get_type_hints

import polars as pl

from lastmile.contracts.declaration import faults
from lastmile.contracts.lean_pandera import pa
from lastmile.contracts.limits import Limits
from lastmile.contracts.partition import Partition
from lastmile.errors import UserError

#: Cell texts that stand for "no value" in typed columns. Text columns treat only the empty cell so.
MISSING_CODES = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "no_answer", "-")


class Misdeclared(UserError, ValueError):
    """A contract that says what cannot be done. The message names the contract and every fault, with what to do."""


def column(
    dtype: pl.DataType | type[pl.DataType],
    description: str,
    *,
    unit: str | None = None,
    required: bool = False,
    personal: bool = False,
    missing: Sequence[str] = MISSING_CODES,
    aliases: Sequence[str] = (),
    measures: str | None = None,
    checks: Sequence[pa.Check] = (),
) -> pa.Column:
    """One column: a pandera column whose `metadata` holds what pandera does not know.

    `required` means the drop must have the column and every row a value; otherwise both may be missing.
    `missing` lists the cell texts read as null. `aliases` are other header names accepted for it. `measures` names the
    quantity the column is a part of (such as "income"), so that what is derived from it can be kept out of features.
    """
    metadata = {"unit": unit, "personal": personal, "missing": tuple(missing), "aliases": tuple(aliases)}
    return pa.Column(
        dtype,
        checks=list(checks),
        nullable=not required,
        required=required,
        description=description,
        metadata={**metadata, "measures": measures},
    )


def _bounds(at_least: Any, at_most: Any) -> list[pa.Check]:
    lower = [] if at_least is None else [pa.Check.ge(at_least)]
    upper = [] if at_most is None else [pa.Check.le(at_most)]
    return lower + upper


def number(description: str, *, at_least: float | None = None, at_most: float | None = None, **more: Any) -> pa.Column:
    """A real number (Float64), bounds inclusive."""
    return column(pl.Float64, description, checks=_bounds(at_least, at_most), **more)


def integer(description: str, *, at_least: int | None = None, at_most: int | None = None, **more: Any) -> pa.Column:
    """A whole number (Int64), bounds inclusive; a text such as `4.0` counts as whole."""
    return column(pl.Int64, description, checks=_bounds(at_least, at_most), **more)


def boolean(description: str, **more: Any) -> pa.Column:
    """Yes or no (Boolean); reads 1/0, 1.0/0.0, true/false, yes/no."""
    return column(pl.Boolean, description, **more)


def day(description: str, *, at_least: date | None = None, at_most: date | None = None, **more: Any) -> pa.Column:
    """A calendar date (Date), written in ISO form."""
    return column(pl.Date, description, checks=_bounds(at_least, at_most), **more)


def moment(
    description: str, *, at_least: datetime | None = None, at_most: datetime | None = None, **more: Any
) -> pa.Column:
    """A point in time (Datetime in UTC, microseconds), written in ISO form; without a zone it is read as UTC."""
    return column(pl.Datetime("us", "UTC"), description, checks=_bounds(at_least, at_most), **more)


def text(description: str, *, matches: str | None = None, **more: Any) -> pa.Column:
    """Free text (String); `matches` is a regular expression the whole value must fit."""
    checks = [] if matches is None else [pa.Check.str_matches(f"^(?:{matches})$")]
    return column(pl.String, description, checks=checks, **{"missing": ("",), **more})


def code(description: str, allowed: Sequence[str], **more: Any) -> pa.Column:
    """A text from a closed list."""
    return column(pl.String, description, checks=[pa.Check.isin(list(allowed))], **{"missing": ("", "NA"), **more})


def rule(name: str, holds: pl.Expr, description: str) -> pa.Check:
    """A rule across columns: `holds` is true, or null where a part is missing, for every good row."""
    return pa.Check(
        lambda data: data.lazyframe.select(holds), name=name, error=description, statistics={"holds": holds}
    )


@dataclass(frozen=True)
class Contract:
    """One dataset. See the module's docstring for an example, `column` for what a column says."""

    name: str
    description: str
    owner: str
    partition: Partition
    columns: Mapping[str, pa.Column]
    key: tuple[str, ...] = ()
    rules: Sequence[pa.Check] = ()
    #: A row whose key its drop or its partition of the table has already: set aside as a duplicate, so that the first
    #: stays; set aside as bad; or loaded.
    duplicates: Literal["first", "quarantine", "keep"] = "first"
    #: A column nobody declared: becomes a text column of the table, goes to `_rescued`, or refuses the drop.
    unknown_columns: Literal["add", "rescue", "refuse"] = "rescue"
    #: A cell that does not fit its type: sets the row aside, or goes to `_rescued` and leaves the column null.
    wrong_type: Literal["quarantine", "rescue"] = "quarantine"
    #: A drop with the same bytes as another one of its partition that is loaded.
    same_bytes: Literal["skip", "load"] = "skip"
    #: Share of bad rows over which the whole drop is quarantined and nothing of it is loaded.
    max_bad_share: float = 0.2
    #: Encodings tried for text files that are neither UTF-8 nor marked with a byte order mark.
    encodings: Sequence[str] = ("cp1252",)
    #: Delimited files and sheets may come without a header: their columns are then those declared, in that order.
    headerless: bool = False
    #: The sheet of a workbook that is read; None: the first whose header fits.
    sheet: str | None = None
    #: What stands before the fraction of numbers in delimited text; None: what the file's own numbers show.
    decimal: Literal[".", ","] | None = None
    #: How long after the newest drop the dataset counts as stale; None where drops come when they come.
    expected_every: timedelta | None = None
    #: How long an object must have been left alone before it is read; None: a few seconds in a folder, where files grow
    #: before our eyes, and no time in a bucket, where objects come whole.
    settle: timedelta | None = None
    #: How long the object of a loaded drop stays in the landing area; None means for ever.
    retention: timedelta | None = None
    limits: Limits = field(default_factory=Limits)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = [*_unknown_policies(self), *faults(self.name, self.columns, self.key, self.rules)]
        if found:
            raise Misdeclared(f"contract {self.name}: {'; '.join(found)}")

    @cached_property
    def schema(self) -> pa.DataFrameSchema:
        """The pandera schema: what a valid typed frame of this dataset is."""
        return pa.DataFrameSchema(
            dict(self.columns), checks=list(self.rules), name=self.name, description=self.description, strict=False
        )

    def types(self) -> dict[str, pl.DataType]:
        """Column name to polars type, in declared order."""
        return {name: spec.dtype.type for name, spec in self.columns.items()}

    def required(self) -> list[str]:
        return [name for name, spec in self.columns.items() if spec.required]

    def metadata(self, name: str) -> dict[str, Any]:
        """The `unit`, `personal`, `missing`, `aliases` and `measures` of a column."""
        return dict(self.columns[name].metadata or {})

    def missing(self, name: str) -> Sequence[str]:
        """Cell texts of a column that stand for "no value"."""
        codes: Sequence[str] = self.metadata(name).get("missing", ("",))
        return codes

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever the meaning of the contract does."""
        columns = [
            (name, str(spec.dtype), spec.required, str(spec.metadata), _checks(spec.checks))
            for name, spec in self.columns.items()
        ]
        policy = (self.key, self.duplicates, self.unknown_columns, self.wrong_type, self.same_bytes, self.max_bad_share)
        reading = (self.headerless, self.sheet, self.decimal)
        return hashlib.sha256(repr((columns, _checks(self.rules), policy, reading)).encode()).hexdigest()[:12]


def _unknown_policies(contract: Contract) -> list[str]:
    hints = get_type_hints(Contract)
    choices = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}
    return [
        f"{name} is {getattr(contract, name)!r}; expected one of {', '.join(map(repr, allowed))}"
        for name, allowed in choices.items()
        if getattr(contract, name) not in allowed
    ]


def _checks(checks: Sequence[pa.Check]) -> list[tuple[str | None, str | None, list[tuple[str, str]]]]:
    """What the checks say. Each value by `str`: inside a dictionary an expression would show its place in memory."""
    return [
        (check.name, check.error, [(name, str(value)) for name, value in (check.statistics or {}).items()])
        for check in checks
    ]
