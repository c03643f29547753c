"""The entries of the catalogue: what a dataset, a feature set, a model and a relation of the warehouse is.

They are what the API answers, too, so each field says what it means.
"""

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lastmile.contracts.form import Review

Kind = Literal["dataset", "form", "feature_set", "model", "relation"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class DatasetColumn(_Entry):
    name: str
    type: str = Field(description="such as `number`, `whole number`, `text`, `date`")
    description: str = ""
    unit: str | None = None
    personal: bool = Field(default=False, description="identifies a person: masked for roles that may not see it")
    required: bool = Field(default=False, description="every drop must have it")
    nullable: bool = Field(default=True, description="may be empty")
    aliases: list[str] = Field(default=[], description="other headers that are accepted")
    checks: list[str] = Field(default=[], description="what a value must be, in words")


class Dataset(_Entry):
    """A dataset's contract."""

    name: str
    description: str
    owner: str
    domain: str | None = None
    unit: Literal["year", "month", "day"] = Field(description="of its partitions")
    start: str = Field(description="the first partition")
    partition_column: str | None = Field(
        default=None, description="the column by whose date a row has its partition; none: that of its drop"
    )
    key: list[str] = []
    columns: list[DatasetColumn]
    rules: list[str] = Field(default=[], description="checks across columns, in words")
    most_bytes: int = Field(description="of one drop")
    max_bad_share: float = Field(description="share of bad rows over which a whole drop is quarantined")
    expected_every_seconds: float | None = Field(default=None, description="how often drops are expected")
    retention_seconds: float | None = Field(default=None, description="how long objects of loaded drops stay")
    version: str = Field(description="of the contract; changes with what is read or what of it is good")
    tags: dict[str, str] = {}


class FormEntry(_Entry):
    """A form of ODK Central or KoboToolbox, whose submissions become records."""

    name: str
    dataset: str = Field(description="of its submissions")
    description: str
    owner: str
    repeats: dict[str, str] = Field(default={}, description="by the name of a repeat: the dataset of its entries")
    inherit: list[str] = Field(default=[], description="columns of a submission that entries of its repeats have too")
    partition: str | None = Field(default=None, description="column whose date or year says the partition")
    points: dict[str, list[str]] = Field(
        default={}, description="by a question for a place: columns of latitude, longitude, altitude and accuracy"
    )
    accept: list[Review] = Field(description="review states in which a submission counts")


class Input(_Entry):
    """A column that a model is given."""

    name: str
    kind: Literal["categorical", "numeric", "boolean"]
    description: str = ""
    unit: str | None = None
    levels: list[str] = Field(default=[], description="the only values there are, of a category with a closed list")
    nullable: bool = True
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None


class FeatureSetEntry(_Entry):
    """A feature set: one row per entity and partition."""

    name: str
    description: str
    owner: str
    entity: list[str] = Field(description="columns that identify a row within its partition")
    group: str
    key: list[str] = Field(description="columns that a row is found by in the online table, which has the newest")
    newest_by: list[str]
    partition_column: str
    inputs: list[Input]
    targets: list[str]
    datasets: list[str] = Field(description="that the rows come from")
    sources: list[str] = Field(description="relations that the rows are made from")


class ModelEntry(_Entry):
    """A declared model."""

    name: str
    description: str
    owner: str
    users: str
    features: str = Field(description="name of its feature set")
    target: str
    kind: Literal["classification", "regression"]
    levels: list[str] = Field(default=[], description="best first, where they are ordered")
    ordered: bool = False
    question: str | None = None
    positive: list[str] = Field(default=[], description="levels by which the question is answered yes")
    common: list[float] = Field(default=[], description="share of each level, where levels are named next to it")
    unit: str | None = Field(default=None, description="of the number, in a regression")
    inputs: list[str] = Field(description="of the feature set's inputs, those it may use")


class RelationColumn(_Entry):
    name: str
    type: str | None = None
    description: str = ""
    personal: bool = False


class Metric(_Entry):
    """What is counted over a relation, as declared in dbt's semantic models."""

    name: str
    description: str = ""
    agg: str
    expr: str
    time: str | None = Field(default=None, description="the column of time that it is shown over")


class Relation(_Entry):
    """A table or view that dbt makes, or that a stream or a followed database brings."""

    name: str
    db_schema: str
    description: str = ""
    columns: list[RelationColumn] = []
    key: list[str] = Field(default=[], description="columns of its primary key")
    metrics: list[Metric] = []


class Catalogue(BaseModel):
    """All entries by name; relations by `schema.name`."""

    model_config = ConfigDict(frozen=True)

    datasets: dict[str, Dataset] = {}
    forms: dict[str, FormEntry] = {}
    feature_sets: dict[str, FeatureSetEntry] = {}
    models: dict[str, ModelEntry] = {}
    relations: dict[str, Relation] = {}

    @cached_property
    def personal(self) -> frozenset[str]:
        """Names of the columns that are personal anywhere: they are so wherever they turn up again."""
        declared = [
            *((column.name, column.personal) for one in self.datasets.values() for column in one.columns),
            *((column.name, column.personal) for one in self.relations.values() for column in one.columns),
        ]
        return frozenset(name for name, personal in declared if personal)
