"""Where an asset or a row comes from, and what is made from it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field

from lastmile.access.principal import Principal
from lastmile.catalogue.tracing import LOADED, NoSuchTable, Tracer
from lastmile.serving.door.permission import may
from lastmile.serving.engine.asset_graph import AssetGraph, downstream, reached, upstream
from lastmile.serving.parameters import LAYER, TABLE, Count, Id, Name
from lastmile.serving.reading.masking import MASK, RESCUED, Veil, pseudonym, veil
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1/lineage", tags=["catalogue"])

Reader = Annotated[Principal, may("read")]
#: Of an asset that another code location makes, nothing is known but its key.
_UNKNOWN: Mapping[str, Any] = {
    "upstream": [], "group": None, "kinds": [], "owners": [], "description": None, "partitioned": False
}  # fmt: skip
KeyPart = Annotated[str, Field(min_length=3, max_length=256, pattern=r"^[^=\x00]+=[^\x00]*$")]


class Node(BaseModel):
    asset: str
    distance: int = Field(description="steps from the asset; 0: itself")
    upstream: list[str] = Field(description="what it is made from directly")
    group: str | None
    kinds: list[str] = Field(description="such as `postgres`, `dbt`")
    owners: list[str]
    description: str | None
    partitioned: bool


class AssetLineage(BaseModel):
    asset: Node
    upstream: list[Node] = Field(description="what it is made from, the nearest first")
    downstream: list[Node] = Field(description="what is made from it, the nearest first")


class TracedRows(BaseModel):
    table: str = Field(description="`raw.<dataset>` for rows as loaded")
    by: str = Field(description="the columns by which rows were followed to here")
    rows: list[dict[str, Any]] = Field(
        description="`_drop_id`, `_line` and `_run_id` say where a loaded row came from and which run loaded it"
    )
    is_complete: bool = Field(description="false where there are more rows than these")


class VersionFacts(BaseModel):
    """A version of a model that predicted, and what it was made from."""

    model: str
    version: str
    created_at: datetime
    run: str | None
    feature_set: str
    data_versions: dict[str, Any]
    code_version: str | None
    sha256: str
    snapshot_key: str | None = Field(description="the rows it was fitted on, in the store")


class Origin(BaseModel):
    """A drop: one version of one object of the landing area."""

    id: int
    dataset: str
    partition: str
    key: str
    version: str
    sha256: str | None
    state: str
    run: str | None = Field(description="that ingested it")
    modified_at: datetime
    removed_at: datetime | None = Field(description="when clean-up removed the object")


class RowLineage(BaseModel):
    """A row traced upstream: the steps begin with the row itself."""

    steps: list[TracedRows]
    versions: list[VersionFacts]
    drops: list[Origin] = Field(description="that the loaded rows came in")
    notes: list[str] = Field(description="what could not be followed, and why")


@asynccontextmanager
async def lifespan(app: FastAPI, here: Serving) -> AsyncIterator[None]:
    app.state.asset_graph = AssetGraph(here)
    yield


@router.get("/assets/{path:path}", summary="What an asset is made from, and what is made from it.")
def asset_lineage(
    path: Annotated[Name, Path(examples=["marts/fct_household_year"])],
    _: Reader,
    request: Request,
    depth: Annotated[int, Query(ge=1, le=100, description="steps in each direction")] = 100,
) -> AssetLineage:
    """Assets are named as in Dagster's UI, such as `marts/fct_household_year` or `predictions/vulnerability`. While
    Dagster is away, the graph is as it was last known."""
    graph: AssetGraph = request.app.state.asset_graph
    nodes = graph.nodes()
    if path not in nodes:
        raise HTTPException(404, f"there is no asset {path!r:.100}; such as: {', '.join(sorted(nodes)[:5])}")
    return AssetLineage(
        asset=_node(nodes, path, 0),
        upstream=[_node(nodes, *one) for one in reached(upstream(nodes), path, depth).items()],
        downstream=[_node(nodes, *one) for one in reached(downstream(nodes), path, depth).items()],
    )


@router.get("/rows/{layer}/{table}", summary="Where a row comes from.")
def row_lineage(
    layer: Annotated[Name, Path(examples=LAYER)],
    table: Annotated[Name, Path(examples=TABLE)],
    reader: Reader,
    here: Here,
    request: Request,
    key: Annotated[
        list[KeyPart], Query(max_length=8, description="`column=value`, such as `hhid=KE_12`; again for more columns")
    ] = [],  # noqa: B006  # FastAPI copies it
    drop: Annotated[Id | None, Query(description="of a loaded row, instead of its key")] = None,
    line: Annotated[Count | None, Query(description="of the drop's file")] = None,
) -> RowLineage:
    """A loaded row (`raw`), a row of a mart or another relation of dbt, a feature row (`features`) or a prediction
    (`predictions`), traced to model version, feature row, relations, loaded rows, drops and lines.

    What SQL makes is followed by the values of key columns: each step says by which."""
    wanted = _wanted(layer, key, drop, line)
    graph: AssetGraph = request.app.state.asset_graph
    with here.reading() as connection:
        tracer = Tracer(connection, here.store.url, here.catalogue(), graph.datasets)
        try:
            found = tracer.trace(layer, table, wanted)
        except NoSuchTable as error:
            raise HTTPException(404, str(error)) from None
    if not found.steps[0].rows:
        raise HTTPException(404, f"{layer}.{table} has no such row")
    hiding = veil(here, reader)
    return RowLineage(
        steps=[
            TracedRows(
                table=step.table,
                by=step.by,
                rows=[_shown(row, wanted, hiding) for row in step.rows],
                is_complete=step.is_complete,
            )
            for step in found.steps
        ],
        versions=[VersionFacts(**one) for one in found.versions],
        drops=[Origin(**one) for one in found.drops],
        notes=found.notes,
    )


def _wanted(layer: str, key: list[str], drop: int | None, line: int | None) -> dict[str, str]:
    wanted = dict(one.split("=", 1) for one in key)
    if drop is not None:
        if layer not in LOADED:
            raise HTTPException(409, "`drop` and `line` are those of a loaded row: of another, say its key")
        wanted["_drop_id"] = str(drop)
    if line is not None:
        if drop is None:
            raise HTTPException(409, "`line` is one of a drop: say which with `drop`")
        wanted["_line"] = str(line)
    if not wanted:
        raise HTTPException(409, "say which row: `key=column=value`, or of a loaded row `drop` and `line`")
    return wanted


def _node(nodes: Mapping[str, Mapping[str, Any]], key: str, distance: int) -> Node:
    return Node(asset=key, distance=distance, **nodes.get(key, _UNKNOWN))


def _shown(row: Mapping[str, Any], given: Mapping[str, str], veil: Veil) -> dict[str, Any]:
    """The row as the reader may see it: what they gave themselves is theirs to see."""
    return {
        name: _masked(name, value, veil) if veil.hides(name) and given.get(name) != value else value
        for name, value in row.items()
        if name != RESCUED or not veil.hides(name)
    }


def _masked(name: str, value: Any, veil: Veil) -> str | None:
    if not isinstance(value, str):
        return None
    return pseudonym(value, veil.secret) if name in veil.keys else MASK
