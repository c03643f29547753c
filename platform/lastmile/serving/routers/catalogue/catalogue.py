"""What is declared: datasets, feature sets, relations; and of datasets how they stand.

Each answer has an ETag, so that a client that polls is sent only what changed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Path, Request, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from lastmile.access.principal import Principal
from lastmile.catalogue import Dataset, FeatureSetEntry, Relation
from lastmile.ledger import state
from lastmile.ledger.query import DropFilter, newest_drop, page
from lastmile.operations.status import datasets
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import DATASET, LAYER, TABLE, Text
from lastmile.serving.reading.etags import UNCHANGED, tagged
from lastmile.serving.schemas import Rows, Undecided
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["catalogue"])

Reader = Annotated[Principal, may("read")]
_LAST_DROPS = 5
Entry = TypeVar("Entry")


class LastDrop(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    partition: str
    key: str
    state: str
    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    modified_at: datetime


class Freshness(BaseModel):
    newest_at: datetime | None = Field(description="when the newest drop came")
    expected_every_seconds: float | None = Field(description="how often drops are expected; null: at no time")
    stale: bool = Field(description="none came for longer than that")


class DatasetSummary(BaseModel):
    """A dataset and how it stands."""

    name: str
    description: str
    owner: str
    domain: str | None
    unit: str = Field(description="of its partitions")
    key: list[str]
    columns: int
    personal: list[str] = Field(description="columns that identify a person")
    version: str = Field(description="of the contract")
    freshness: Freshness
    drops: dict[str, int] = Field(description="number by state")
    rows: Rows
    backlog: int = Field(description="drops waiting to be ingested")
    undecided: Undecided
    last_drops: list[LastDrop] = Field(description="the newest first")


class PartitionRows(BaseModel):
    partition: str
    drops: int
    waiting: int
    read: int
    loaded: int
    quarantined: int
    duplicate: int
    newest_at: datetime


class DatasetDetails(DatasetSummary):
    contract: Dataset
    partitions: list[PartitionRows] = Field(description="those that drops came for, the newest first")


FeatureSetName = Annotated[Text, Path(examples=["household_vulnerability"])]
Schema = Annotated[Text, Path(examples=LAYER)]
Table = Annotated[Text, Path(examples=TABLE)]


@router.get("/datasets", summary="All datasets.", response_model=list[DatasetSummary], responses=UNCHANGED)
def list_datasets(request: Request, _: Reader, here: Here) -> Response:
    """Contract in brief, owner, freshness, rows, backlog, last drops."""
    known = here.catalogue().datasets
    with here.reading() as connection:
        standing = datasets(connection, here.store.url)
        found = [DatasetSummary(**_summary(connection, here, one, standing)) for one in known.values()]
    return tagged(request, found, list[DatasetSummary])


@router.get("/datasets/{name}", summary="One dataset.", response_model=DatasetDetails, responses=UNCHANGED)
def dataset(name: Annotated[Text, Path(examples=DATASET)], request: Request, _: Reader, here: Here) -> Response:
    """Its contract column by column, its partitions with their rows, its last drops."""
    contract = named(here.catalogue().datasets, name, "dataset", "datasets")
    with here.reading() as connection:
        summary = _summary(connection, here, contract, datasets(connection, here.store.url))
        partitions = [PartitionRows(**one) for one in state.by_partition(connection, here.store.url, name)]
    return tagged(request, DatasetDetails(**summary, contract=contract, partitions=partitions), DatasetDetails)


@router.get("/features", summary="All feature sets.", response_model=list[FeatureSetEntry], responses=UNCHANGED)
def list_features(request: Request, _: Reader, here: Here) -> Response:
    return tagged(request, [*here.catalogue().feature_sets.values()], list[FeatureSetEntry])


@router.get("/features/{name}", summary="One feature set.", response_model=FeatureSetEntry, responses=UNCHANGED)
def feature_set(name: FeatureSetName, request: Request, _: Reader, here: Here) -> Response:
    """What identifies a row, what it is made from, and each input with its bounds: the schema of predictions."""
    return tagged(request, named(here.catalogue().feature_sets, name, "feature set", "features"), FeatureSetEntry)


@router.get(
    "/relations",
    summary="All relations that dbt makes, or that streams and followed databases bring.",
    response_model=list[Relation],
    responses=UNCHANGED,
)
def list_relations(request: Request, _: Reader, here: Here) -> Response:
    """With their columns, keys and metrics."""
    return tagged(request, [*here.catalogue().relations.values()], list[Relation])


@router.get("/relations/{schema}/{name}", summary="One relation.", response_model=Relation, responses=UNCHANGED)
def relation(
    schema: Annotated[Text, Path(examples=LAYER)],
    name: Annotated[Text, Path(examples=TABLE)],
    request: Request,
    _: Reader,
    here: Here,
) -> Response:
    found = named(here.catalogue().relations, f"{schema}.{name}", "relation", "relations")
    return tagged(request, found, Relation)


def named(entries: Mapping[str, Entry], name: str, kind: str, path: str) -> Entry:
    """Raises HTTPException where there is none of the name."""
    if name not in entries:
        raise HTTPException(404, f"there is no {kind} {name!r:.100}; GET /api/v1/{path} lists those there are")
    return entries[name]


def _summary(
    connection: Connection, here: Serving, one: Dataset, standing: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    found = standing.get(one.name, {})
    last, _ = page(connection, here.store.url, DropFilter(one.name), _LAST_DROPS)
    return {
        **one.model_dump(include={"name", "description", "owner", "domain", "unit", "key", "version"}),
        "columns": len(one.columns),
        "personal": [column.name for column in one.columns if column.personal],
        "freshness": _freshness(one, newest_drop(connection, here.store.url, one.name)),
        "drops": found.get("drops", {}),
        "rows": found.get("rows", dict.fromkeys(("read", "loaded", "quarantined", "duplicate"), 0)),
        "backlog": found.get("backlog", 0),
        "undecided": found.get("undecided", {"rows": 0, "drops": 0}),
        "last_drops": [LastDrop.model_validate(drop) for drop in last],
    }


def _freshness(one: Dataset, newest: datetime | None) -> Freshness:
    expected = one.expected_every_seconds
    overdue = newest and expected and datetime.now(UTC) - newest > timedelta(seconds=expected)
    return Freshness(newest_at=newest, expected_every_seconds=expected, stale=bool(overdue))
