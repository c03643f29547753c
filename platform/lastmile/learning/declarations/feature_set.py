"""What a feature set declares: whom it describes, from which tables, what is to be learned and what gives it away.

    class Plots(pa.DataFrameModel):
        plot: str = field("Number of the plot.", nullable=False)
        village: str = field("Village it lies in.")
        rain_mm: float = field("Rain in the season.", unit="mm", ge=0)
        yield_level: str = field("To be learned; missing where not measured.", isin=["high", "low"])

    def make(dim_plot: pd.DataFrame, fct_plot: pd.DataFrame) -> pd.DataFrame:
        return dim_plot.merge(fct_plot[["plot", "yield_level"]], on="plot", how="left")

    features = FeatureSet(name="plots", schema=Plots, make=make, sources=("marts.dim_plot", "marts.fct_plot"), ...)

The asset, its table and Parquet files, its checks, and the columns of every model on it follow from the declaration.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

import pandas as pd
import pandera.pandas as pa

from lastmile.contracts.partition import Partition

Kind = Literal["numeric", "categorical", "boolean", "time"]


@dataclass(frozen=True)
class Column:
    """A column of the schema. `levels` are the values that an `isin` check allows, in its order."""

    name: str
    kind: Kind
    description: str
    unit: str | None
    levels: tuple[str, ...]


@dataclass(frozen=True)
class FeatureSet:
    """One row per `entity` and partition: inputs, and targets where they are known.

    Inputs are all columns of `schema` but the entity, the group and the targets. Raises ValueError for a declaration
    that cannot work, naming every fault.
    """

    name: str
    description: str
    owner: str
    #: Columns with types, units, descriptions and checks; types are coerced.
    schema: type[pa.DataFrameModel]
    #: Columns that identify a row.
    entity: tuple[str, ...]
    #: Rows of one group (a survey) resemble each other: it is never split between training and evaluation.
    group: str
    partition: Partition
    #: Relations (schema.table) the rows are made from. The first one has a row for each entity.
    sources: tuple[str, ...]
    #: Datasets whose drops the rows come from; the first one's partitions say which partitions have rows.
    datasets: tuple[str, ...]
    targets: tuple[str, ...]
    #: Quantities (the `measures` of contract columns) that make a target: no input may be derived from them.
    forbidden: frozenset[str] = frozenset()
    #: Frames of the sources, named as their tables, to a frame of the schema. Of a source that has the partition
    #: column it gets the rows of one partition, of any other source all rows.
    make: Callable[..., pd.DataFrame] | None = None
    #: SQL instead of `make`, for a set too large for pandas: the rows with %(start)s <= partition < %(end)s.
    query: str | None = None
    #: Columns of the schema by whose values scores are compared: a model should serve them alike.
    fairness: tuple[str, ...] = ()
    #: Columns of the entity that identify it whatever the partition, as a household's number does in every year: the
    #: online table has the newest row of each. None given: the whole entity.
    online_key: tuple[str, ...] = ()
    #: First day of a row's partition: in the sources where they have it, and in the feature set, where it is added.
    partition_column: str = "partition_start"
    #: Where a row is a snapshot at the first moment of its partition and the targets say what came after: how long
    #: after it they are known. None where a row describes what happened within the partition, as of a survey year.
    horizon: timedelta | None = None

    def __post_init__(self) -> None:
        if faults := [*self._unknown_columns(), *self._unfit_inputs(), *self._unfit_key(), *self._unfit_maker()]:
            raise ValueError(f"feature set {self.name}: {'; '.join(faults)}")

    @property
    def table(self) -> str:
        return f"features.{self.name}"

    @property
    def key(self) -> tuple[str, ...]:
        """What a row is found by in the online table."""
        return self.online_key or self.entity

    @property
    def newest_by(self) -> tuple[str, ...]:
        """Of the rows with the same online key, the newest is the one with the highest of these."""
        return (self.partition_column, *(name for name in self.entity if name not in self.key))

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The schema's columns by name, in declared order."""
        found = self.schema.to_schema().columns
        return {name: _column(name, column) for name, column in found.items()}

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        reserved = {*self.entity, self.group, *self.targets}
        return tuple(column for name, column in self.columns.items() if name not in reserved)

    @property
    def identity(self) -> list[str]:
        """The columns that say what a row is about: the entity, and the group where it is none of its columns."""
        return list(dict.fromkeys([*self.entity, self.group]))

    def names(self, *kinds: Kind) -> list[str]:
        """Names of the inputs of these kinds, of all when none is given, in declared order."""
        return [column.name for column in self.inputs if not kinds or column.kind in kinds]

    def tables(self) -> Mapping[str, str]:
        """The sources by the name of their table, as `make` knows them."""
        return {source.rpartition(".")[2]: source for source in self.sources}

    def _unknown_columns(self) -> list[str]:
        named = {
            "entity": self.entity,
            "group": (self.group,),
            "targets": self.targets,
            "fairness column": self.fairness,
        }
        return [
            f"{role} {name!r} is not a column of {self.schema.__name__}"
            for role, names in named.items()
            for name in names
            if name not in self.columns
        ]

    def _unfit_inputs(self) -> list[str]:
        faults = [
            f"input {name!r} is a time: give the model a number, such as days since" for name in self.names("time")
        ]
        if self.partition_column in self.columns:
            faults.append(f"{self.partition_column!r} is added to every feature set: take it out of the schema")
        return faults

    def _unfit_key(self) -> list[str]:
        strangers = [name for name in self.online_key if name not in self.entity]
        return [f"online key {name!r} is no column of the entity {self.entity}" for name in strangers]

    def _unfit_maker(self) -> list[str]:
        if (self.make is None) == (self.query is None):
            return ["expected one of `make` and `query`"]
        if self.make is None:
            return []
        expected, found = sorted(self.tables()), sorted(inspect.signature(self.make).parameters)
        return [] if expected == found else [f"`make` has the parameters {found}, its sources are {expected}"]


def _column(name: str, column: pa.Column) -> Column:
    unit = (column.metadata or {}).get("unit")
    return Column(name, _kind(name, column), column.description or "", unit, _levels(column))


def _kind(name: str, column: pa.Column) -> Kind:
    dtype: Any = column.dtype.type if column.dtype else None
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "time"
    if pd.api.types.is_string_dtype(dtype):
        return "categorical"
    raise ValueError(f"column {name!r} has the type {dtype}: expected float, int, bool, str or a datetime")


def _levels(column: pa.Column) -> tuple[str, ...]:
    for check in column.checks:
        if check.name == "isin":
            return tuple(check.statistics["allowed_values"])
    return ()
