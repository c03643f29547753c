"""What a feature set declares: who is described, what is to be learned, from what, and what must never be an input.

The features' table, the model's columns, the leakage check and the catalogue are made from it, so that a feature added
here is added everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, LiteralString

Kind = Literal["numeric", "categorical", "boolean"]


@dataclass(frozen=True)
class Feature:
    """One input of a model: a column of the feature set's source, under the same name."""

    name: str
    kind: Kind
    description: str
    unit: str | None = None


def numeric(name: str, description: str, unit: str | None = None) -> Feature:
    return Feature(name, "numeric", description, unit)


def categorical(name: str, description: str) -> Feature:
    return Feature(name, "categorical", description)


def boolean(name: str, description: str) -> Feature:
    return Feature(name, "boolean", description)


@dataclass(frozen=True)
class FeatureSet:
    """Inputs and target of one learning task; one row per `entity`, stored in the table `features.<name>`."""

    name: str
    description: str
    #: Key columns of one row, in `source` and `target_source` alike, with their Postgres types.
    entity: Mapping[str, LiteralString]
    #: Rows of one group (a survey) resemble each other: it is never split between training and judging.
    group: str
    #: First day of the row's partition.
    partition_column: str
    inputs: tuple[Feature, ...]
    target: str
    #: The target's values in their order, best first.
    levels: tuple[str, ...]
    #: Levels that answer yes to the question of that name.
    question: str
    positive: tuple[str, ...]
    #: Relations (schema.table) the inputs and the target are read from.
    source: str
    target_source: str
    #: Datasets whose drops the rows come from.
    datasets: tuple[str, ...]
    #: Quantities (the `measures` of contract columns) that make the target: no input may be derived from them.
    forbidden: frozenset[str]

    def __post_init__(self) -> None:
        reserved = {*self.entity, self.group, self.partition_column, self.target} & set(self.names())
        if reserved:
            raise ValueError(f"feature set {self.name}: {sorted(reserved)} identify a row or are its target: no inputs")
        strangers = set(self.positive) - set(self.levels)
        if strangers:
            raise ValueError(f"feature set {self.name}: positive levels {sorted(strangers)} are not among its levels")

    @property
    def table(self) -> str:
        return f"features.{self.name}"

    def probability_columns(self) -> list[str]:
        """`probability_on_track` for the level `On Track`, in the levels' order."""
        return [f"probability_{level.lower().replace(' ', '_')}" for level in self.levels]

    def names(self, *kinds: Kind) -> list[str]:
        """Names of the inputs of these kinds, of all when none is given, in declared order."""
        return [feature.name for feature in self.inputs if not kinds or feature.kind in kinds]
