"""Runs: materialize, backfill, train; follow and cancel them.

What is launched is Dagster's, kept in its storage: it goes on without this process, and its daemon carries it out when
it is back where it is away.
"""

import hashlib
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.learning.registry.summary import versions_of_runs
from lastmile.ledger.query import of_runs
from lastmile.operations.daemon import daemon
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import NO_NUL, Name, Text
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["process"])

Reader = Annotated[Principal, may("read")]
Runner = Annotated[Principal, may("run")]
RunId = Annotated[Text, Path()]
#: Of a backfill, of a run.
_IDS = re.compile(r"[a-z]{8}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ENDED = ("succeeded", "failed", "cancelled")

_LAUNCHING = "lastmile.serving.engine.launching"
_FOLLOWING = "lastmile.serving.engine.following"
_MOST_RESULTS = 5_000
#: Said in place of an error to who may not see personal columns: it may quote a value.
_WITHHELD = "failed; the message is shown to roles that may see personal columns"


class NewRun(BaseModel):
    """Say one of `select`, `datasets` and `model`; none of them means all datasets that have these partitions."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    select: Annotated[str, Field(min_length=1, max_length=2_000, pattern=NO_NUL)] | None = Field(
        default=None, description="assets as Dagster's UI selects them, such as `marts/fct_household_year+`"
    )
    datasets: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="ingest what is pending of these, and make what is downstream"
    )
    model: Name | None = Field(default=None, description="train it, judge it, promote it if it is better")
    partition: Name | None = Field(default=None, description="such as `2019`; short for the same `from` and `to`")
    first: Name | None = Field(default=None, alias="from", description="the first partition")
    last: Name | None = Field(default=None, alias="to", description="the last partition")
    redo: bool = Field(default=False, description="also ingest again drops that were ingested before")
    why: Name = Field(default="by hand", description="shown with the run")


class Launched(BaseModel):
    id: str
    assets: list[str]
    is_new: bool = Field(description="false where this Idempotency-Key launched it before")


class Accepted(BaseModel):
    """What was launched; follow each at /runs/{run}."""

    runs: list[Launched]
    daemon: Literal["ready", "away"] = Field(description="Dagster's; away, it carries this out when it is back")


class Partitions(BaseModel):
    first: str
    last: str


class Run(BaseModel):
    """A run, or a backfill of several."""

    id: str
    kind: Literal["run", "backfill"]
    state: State
    assets: list[str]
    partitions: Partitions | None = Field(description="null where the assets have none")
    made: int = Field(description="assets made, in a backfill for each of their partitions")
    wanted: int = Field(description="of so many")
    requested_at: float = Field(description="seconds since the epoch, as the others")
    started_at: float | None
    ended_at: float | None
    error: str | None = Field(description="in one line")
    who: str | None
    why: str | None
    part_of: str | None = Field(description="the backfill that launched it")


class Runs(BaseModel):
    """The newest first. `before` requests the next page; null where this is the last one."""

    runs: list[Run]
    before: int | None


class MadeAsset(BaseModel):
    run: str
    asset: str
    partition: str | None
    numbers: dict[str, float] = Field(description="as recorded with it, such as rows")


class Check(BaseModel):
    run: str
    asset: str
    check: str
    partition: str | None
    passed: bool
    severity: Literal["warn", "error"]
    description: str | None = Field(description="shown to roles that may see personal columns")


class IngestedDrop(BaseModel):
    id: int
    dataset: str
    partition: str
    key: str
    state: str
    read: int
    loaded: int
    quarantined: int
    duplicate: int


class TrainedVersion(BaseModel):
    model: str
    version: str
    run: str | None
    scores: dict[str, Any]


class Results(BaseModel):
    """What a run made."""

    run: Run
    assets: list[MadeAsset]
    checks: list[Check]
    drops: list[IngestedDrop] = Field(description="that were ingested by it")
    versions: list[TrainedVersion] = Field(description="of models, that it trained")
    is_complete: bool = Field(description=f"false where there is more than the first {_MOST_RESULTS:,} results")


@router.post("/runs", summary="Materialize, backfill or train.", status_code=202)
def launch(
    given: NewRun,
    runner: Runner,
    here: Here,
    request: Request,
    response: Response,
    key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", min_length=1, max_length=256, description="the same one launches once"),
    ] = None,
) -> Accepted:
    """Make any assets (`select`), ingest datasets (`datasets`), or train a model (`model`), for the partitions from
    `from` to `to`. Features are made anew by selecting their asset: `{"select": "features/household_vulnerability",
    "from": "2015", "to": "2019"}`; `features/household_vulnerability+` also makes what follows from them.

    Location is the first run's. Where Dagster's code server is away the answer is 503; where only its daemon is, the
    run is accepted and made when that is back.
    """
    wanted = _arguments(given)
    unique = _digest(f"{runner.name}\0{key}") if key else None
    wanted |= {"why": given.why, "who": runner.name, "key": unique, "request": _digest(given.model_dump_json())}
    function = "train" if given.model else "launch"
    with here.reading() as connection:
        standing = daemon(connection)
    with here.writing() as connection, connection.transaction():
        if unique:  # another process of the API may have the same request at this moment
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [unique])
        found = here.engine("dagster").call(f"{_LAUNCHING}:{function}", **wanted)
        runs = [Launched(**one) for one in (found if isinstance(found, list) else [found])]
        for one in runs:
            if one.is_new:
                _audit(connection, runner, "launch run", one.id, request)
    response.headers["Location"] = f"/api/v1/runs/{runs[0].id}"
    return Accepted(runs=runs, daemon=standing)


@router.get("/runs", summary="Runs and backfills, the newest first.")
def list_runs(
    reader: Reader,
    here: Here,
    state: State | None = None,
    part_of: Annotated[str | None, Query(pattern="^[a-z]{8}$", description="the runs of this backfill")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=0, le=10**16, description="`before` of the page before")] = None,
) -> Runs:
    """A backfill counts as one; its runs are listed by `part_of`."""
    states, until = [state] if state else None, before / 1e6 if before is not None else None
    found = here.engine("dagster").call(f"{_FOLLOWING}:page", most=limit, states=states, before=until, part_of=part_of)
    # Rounded down: Dagster stores whole microseconds, and a page that began with its last run would be endless.
    following = int(found[-1]["requested_at"] * 1e6) if len(found) == limit else None
    return Runs(runs=[as_run(one, reader) for one in found], before=following)


@router.get("/runs/{run}", summary="One run or backfill.")
def show(run: RunId, reader: Reader, here: Here) -> Run:
    return as_run(found_run(here, run), reader)


@router.post("/runs/{run}/cancel", summary="Cancel a run or a backfill.", status_code=202)
def cancel(run: RunId, runner: Runner, here: Here, request: Request) -> Run:
    """It ends within seconds, what it made stays; 409 where it has ended."""
    found = found_run(here, run)
    if found["state"] in ENDED:
        raise HTTPException(409, f"{run} has {found['state']}: only what is queued or running can be cancelled")
    with here.writing() as connection, connection.transaction():
        here.engine("dagster").call(f"{_LAUNCHING}:cancel", run=run)
        _audit(connection, runner, "cancel run", run, request)
    return as_run(found_run(here, run), runner)


@router.get("/runs/{run}/results", summary="What a run made.")
def results(run: RunId, reader: Reader, here: Here) -> Results:
    """Assets with their numbers, checks, and what it ingested and trained; also of one that is under way."""
    found = _looked_up(here, run, "results", most=_MOST_RESULTS)
    with here.reading() as connection:
        drops = of_runs(connection, here.store.url, found["runs"], _MOST_RESULTS)
        versions = versions_of_runs(connection, found["runs"])
    shown = reader.may("personal")
    return Results(
        run=as_run(found["run"], reader),
        assets=found["assets"],
        checks=[Check(**{**one, "description": one["description"] if shown else None}) for one in found["checks"]],
        drops=[IngestedDrop(**one) for one in drops],
        versions=[TrainedVersion(**one) for one in versions],
        is_complete=len(found["assets"]) + len(found["checks"]) < _MOST_RESULTS,
    )


def found_run(here: Serving, run: str) -> dict[str, Any]:
    return _looked_up(here, run, "find")


def _looked_up(here: Serving, run: str, how: str, **more: Any) -> dict[str, Any]:
    """Raises HTTPException (404)."""
    found = here.engine("dagster").call(f"{_FOLLOWING}:{how}", run=run, **more) if _IDS.fullmatch(run) else None
    if found is None:
        raise HTTPException(404, f"there is no run {run:.100}; GET /api/v1/runs lists those there are")
    return dict(found)


def as_run(found: dict[str, Any], reader: Principal) -> Run:
    first, last = found["partitions"] or (None, None)
    error = found["error"] and (found["error"] if reader.may("personal") else _WITHHELD)
    return Run(**{**found, "error": error, "partitions": {"first": first, "last": last} if first else None})


def _arguments(given: NewRun) -> dict[str, Any]:
    """What the engine is called with. Raises HTTPException where it is not said what, or of which partitions."""
    first, last = given.first, given.last
    if given.partition and (first or last):
        raise HTTPException(409, "say either `partition`, or `from` and `to`")
    first, last = given.partition or first, given.partition or last
    if sum(one is not None for one in (given.select, given.datasets, given.model)) > 1:
        raise HTTPException(409, "say one of `select`, `datasets` and `model`")
    if given.model:
        if first or last or given.redo:
            raise HTTPException(409, "a training has no partitions and nothing to redo: say only `model` and `why`")
        return {"model": given.model}
    if (first is None) != (last is None) or (first is None and given.select is None):
        raise HTTPException(409, "say which partitions: `from` and `to`, or `partition`; GET /datasets has them")
    return {"select": given.select, "datasets": given.datasets, "first": first, "last": last, "redo": given.redo}


def _audit(connection: Connection, principal: Principal, action: str, run: str, request: Request) -> None:
    audit.record(connection, audit.Entry(principal.name, action, run, None, request.scope["request_id"]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
