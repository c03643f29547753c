"""What a dataset declares, once: everything else about it follows from here.

A contract is a pandera model (polars flavour) and how its drops arrive. The sensor, the assets, the warehouse table,
the dbt source and the checks are all made from it, so adding a dataset is adding a file.

    class Crop(pa.DataFrameModel):
        hhid: str = field("Household the crop belongs to.", personal=True)
        name: str = field("Crop.")
        harvest_kg: float | None = field("Harvested in the year.", unit="kg", ge=0, le=100_000)
        sold_kg: float | None = field("Sold.", unit="kg", ge=0)

        @pa.dataframe_check(error="Sold at most the harvest.")
        def sold_within_harvest(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("sold_kg") <= pl.col("harvest_kg"))


    contract = Contract(
        name="crop",
        schema=Crop,
        description="Crops a household grew in the survey year; one row per household and crop.",
        owner="field-data@example.org",
        partition=Partition("year", start=date(2010, 1, 1)),
        key=("hhid", "name"),
    )
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import cast

import pandera.polars as pa
import polars as pl

from lastmile.contracts.alerts import Alerts
from lastmile.contracts.casts import PLAIN, NumberFormat, Reading
from lastmile.contracts.checks import Compiled, RowCheck, allowed_values, compiled
from lastmile.contracts.declaration import faults
from lastmile.contracts.fields import NOTHING_KNOWN, Metadata, texts
from lastmile.contracts.fingerprint import digest
from lastmile.contracts.headers import Headers
from lastmile.contracts.names import normal_name
from lastmile.contracts.partition import Partition
from lastmile.contracts.patterns import with_patterns
from lastmile.contracts.settings import Arrival, Format, Limits, Policy
from lastmile.contracts.types import Kind, kind_of
from lastmile.errors import UserError


class Misdeclared(UserError, ValueError):
    """A contract that says what cannot be done. The message names the contract and every fault, with what to do."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One dataset. See the module's docstring for an example, `field` for what a column says.

    Raises Misdeclared where it says what cannot be done.
    """

    name: str
    schema: type[pa.DataFrameModel] | pa.DataFrameSchema
    description: str
    owner: str
    partition: Partition
    key: tuple[str, ...] = ()
    format: Format = field(default_factory=Format)
    policy: Policy = field(default_factory=Policy)
    arrival: Arrival = field(default_factory=Arrival)
    limits: Limits = field(default_factory=Limits)
    tags: Mapping[str, str] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=Alerts)

    def __post_init__(self) -> None:
        found = list(faults(self))
        if found:
            raise Misdeclared(f"contract {self.name}: {'; '.join(found)}")

    @cached_property
    def table(self) -> pa.DataFrameSchema:
        """The pandera schema: what a valid typed frame of this dataset is."""
        if isinstance(self.schema, pa.DataFrameSchema):
            return self.schema
        return self.schema.to_schema()

    @cached_property
    def columns(self) -> Mapping[str, pa.Column]:
        """The columns by name, in declared order, without those that stand for many."""
        return {name: spec for name, spec in self.table.columns.items() if not spec.regex}

    @cached_property
    def headers(self) -> Headers:
        """Which headers stand for which of the columns."""
        return Headers.of(self.columns)

    @cached_property
    def patterns(self) -> Mapping[str, pa.Column]:
        """The columns that stand for all whose names fit a regular expression, by that."""
        return {name: spec for name, spec in self.table.columns.items() if spec.regex}

    @cached_property
    def _expanded(self) -> dict[tuple[str, ...], "Contract"]:
        return {}

    @property
    def may_gain_columns(self) -> bool:
        """Whether a drop's header may bring columns of the table that are not declared by name."""
        return bool(self.patterns) or self.policy.unknown_columns == "add"

    def expanded(self, header: Sequence[str]) -> "Contract":
        """The contract of a drop with this header: each pattern replaced by the columns that fit it there."""
        if not self.patterns:
            return self
        names = tuple(sorted({normal_name(name) for name in header}))
        if names not in self._expanded:
            self._expanded[names] = replace(self, schema=with_patterns(self.table, names))
        return self._expanded[names]

    @cached_property
    def _types(self) -> dict[str, pl.DataType]:
        return {name: spec.dtype.type for name, spec in self.columns.items()}

    def types(self) -> dict[str, pl.DataType]:
        """Column name to polars type, in declared order."""
        return dict(self._types)

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """Column name to what is known of its type."""
        return {name: kind for name, spec in self.table.columns.items() if (kind := kind_of(spec))}

    def required(self) -> list[str]:
        """Columns that every drop must have."""
        return [name for name, spec in self.columns.items() if spec.required]

    def metadata(self, name: str) -> Metadata:
        """What is known of a column beyond its type and checks; of a plain pandera column, nothing."""
        return cast("Metadata", NOTHING_KNOWN | (self.table.columns[name].metadata or {}))

    @cached_property
    def _missing(self) -> dict[str, Sequence[str]]:
        return {name: self._missing_of(name) for name in self.table.columns}

    def missing(self, name: str) -> Sequence[str]:
        """Cell texts of a column that stand for "no value": those stated, or those of its type but for what it is said
        to hold; `NA` too in a text with a closed list that has no `NA`."""
        return self._missing[name]

    def stated_missing(self, name: str) -> Sequence[str] | None:
        """The same as far as the contract states them, of the column or of all files; None where it does not."""
        own = self.metadata(name)["missing"]
        return texts(self.format.missing) if own is None else own

    @cached_property
    def _missing_numbers(self) -> dict[str, pl.Series]:
        found = {}
        for name in self.columns:
            if self.kinds[name].is_number:
                codes = pl.Series(self.missing(name), dtype=pl.String)
                values = pl.select(self.kinds[name].read(pl.lit(codes), self.reading(name))).to_series()
                found[name] = values.drop_nulls().unique()
        return {name: values for name, values in found.items() if values.len()}

    def missing_numbers(self, name: str) -> pl.Series | None:
        """The numbers among a number column's missing codes, which stand for "no value" however they are written; None
        where there are none."""
        return self._missing_numbers.get(name)

    def _missing_of(self, name: str) -> Sequence[str]:
        said, kind = self.stated_missing(name), self.kinds[name]
        if said is not None:
            return said
        closed = [values for check in self.table.columns[name].checks if (values := allowed_values(check)) is not None]
        if kind.is_text:
            return ("", "NA") if closed and "NA" not in closed[0] else kind.missing
        metadata = self.metadata(name)
        held = {str(word).lower() for word in (*metadata["true"], *metadata["false"], *chain(*closed))}
        return tuple(code for code in kind.missing if not code or code.lower() not in held)

    def reading(self, name: str, numbers: NumberFormat = PLAIN) -> Reading:
        """How the cells of a column are written, in a drop that writes its numbers so."""
        metadata, kind = self.metadata(name), self.kinds[name]
        return Reading(
            self.table.columns[name].dtype.type,
            numbers if kind.is_number else PLAIN,
            metadata["formats"],
            metadata["true"],
            metadata["false"],
            metadata["symbols"],
            metadata["separator"],
        )

    @cached_property
    def compiled(self) -> Compiled:
        checks = {name: spec.checks for name, spec in self.table.columns.items()} | {None: self.table.checks}
        types = {name: spec.dtype.type for name, spec in self.table.columns.items()}
        return compiled(checks, types)

    @property
    def checks(self) -> Mapping[str | None, Sequence[RowCheck]]:
        """The checks of each column, those across columns under None."""
        return self.compiled.checks

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever what is read, or what of it is good, does, and with nothing else."""
        columns = [
            [
                name,
                str(spec.dtype),
                spec.required,
                spec.nullable,
                spec.default,
                spec.regex,
                spec.metadata,
                self._checks(name),
            ]
            for name, spec in self.table.columns.items()
        ]
        settings = [self.partition, self.key, self.format, self.policy, self.limits]
        return digest(self.name, columns, self._checks(None), *settings)

    def _checks(self, column: str | None) -> list[object]:
        return [
            [one.name, one.expected, one.check.ignore_na, one.check.statistics, one.expression, one.check._check_fn]
            for one in self.checks[column]
        ]
