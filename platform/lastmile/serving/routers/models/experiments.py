"""Experiments: versions of a model compared on the same stream of units."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, BackgroundTasks, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.errors import UserError
from lastmile.learning.experiments import experiment as kept
from lastmile.learning.registry.events import Cause
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import MOST, NO_NUL, Text
from lastmile.serving.parameters import Name as Label
from lastmile.serving.routers.models.models import announce, as_things_stand
from lastmile.serving.routers.models.schemas import Reason, Version
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["models"])

Reader = Annotated[Principal, may("read")]
Deployer = Annotated[Principal, may("deploy")]
Name = Annotated[Text, Path()]
Share = Annotated[float, Field(gt=0, lt=1, description="of units that treatments get")]

_ENGINE = "lastmile.serving.engine.experimenting"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


class NewExperiment(Reason):
    """Either `detect` or `size`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"oneOf": [{"required": ["detect"]}, {"required": ["size"]}]}
    )

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,256}$")]
    model: Label
    treatments: Annotated[list[Version], Field(min_length=1, max_length=10)]
    control: Version | None = Field(default=None, description="the version in use where none is named")
    mode: Literal["shadow", "split"] = Field(
        default="shadow",
        description="shadow: all versions predict every unit, the control answers. split: units are assigned.",
    )
    share: Share | None = Field(default=None, description="of a split: of units that treatments get at first; a half")
    unit: Annotated[list[Label], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="columns that identify what is assigned; the entity's where none are named"
    )
    metric: Label | None = Field(default=None, description="the one that the model is promoted by where none is named")
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    detect: Annotated[
        float,
        Field(
            default=None,
            gt=0,
            lt=1e300,
            description="smallest difference worth finding, in the metric's unit: gives the size",
        ),
    ]
    size: Annotated[int, Field(default=None, ge=1, le=MOST, description="rows with outcomes at which it is tested")]
    hypothesis: Annotated[str, Field(max_length=1_024, pattern=NO_NUL)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if len(self.model_fields_set & {"detect", "size"}) != 1:
            raise ValueError("either detect or size")
        return self


class Ramp(Reason):
    share: Share


class Decision(Reason):
    version: Version


class Experiment(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    model: str
    mode: Literal["shadow", "split"]
    state: Literal["running", "stopped", "decided"]
    control: str
    treatments: list[str]
    share: float | None = Field(description="of units that treatments get; null in shadow")
    unit: list[str]
    metric: str
    alpha: float
    planned_size: int
    hypothesis: str
    started_at: datetime
    started_by: str
    reason: str
    ended_at: datetime | None
    decision: str | None = Field(description="the version decided for")


class Started(Experiment):
    basis: str = Field(description="what the planned size rests on")


class ExperimentEvent(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    at: datetime
    event: str
    share: float | None
    decision: str | None
    verdict: str | None
    reason: str
    actor: str


class ExperimentDetail(Experiment):
    events: list[ExperimentEvent] = Field(description="the oldest first")


class Report(BaseModel):
    """What it shows so far: whether it can be trusted, then the differences, then the verdict in words."""

    model_config = ConfigDict(extra="allow")

    verdict: str
    trusted: bool = Field(description="whether units came to the versions in the planned ratio")
    exposed: int
    known: int = Field(description="of the exposed, those with an outcome")
    ratios: dict[str, Any]
    comparisons: list[dict[str, Any]]


class Decided(Experiment):
    verdict: str = Field(description="what the report said")


@router.post("/experiments", summary="Start an experiment; its plan is fixed from then on.", status_code=201)
def start(given: NewExperiment, who: Deployer, here: Here, request: Request) -> Started:
    """A model has one at a time. The report may be read, and the experiment stopped, whenever wanted."""
    if given.model not in (known := here.catalogue().models):
        raise HTTPException(
            404, f"no model {given.model!r} is declared; there are: {', '.join(sorted(known)) or 'none'}"
        )
    if given.share is not None and given.mode == "shadow":
        raise UserError("expected a share with mode split only: in shadow no unit is assigned")
    wish = given.model_dump(exclude={"model", "why"})
    wish["share"] = (given.share or 0.5) if given.mode == "split" else None
    basis: str = here.engine("experiments").call(
        f"{_ENGINE}:start",
        model=given.model,
        wish=wish,
        why=given.why,
        who=who.name,
        request=request.scope["request_id"],
    )
    return Started(**_found(here, given.name).model_dump(), basis=basis)


@router.get("/experiments", summary="Experiments, the newest first.")
def list_experiments(_: Reader, here: Here, model: Text | None = None) -> list[Experiment]:
    with here.reading() as connection:
        return [Experiment.model_validate(one) for one in kept.experiments(connection, model)]


@router.get("/experiments/{name}", summary="One experiment, and what happened to it.")
def show(name: Name, _: Reader, here: Here) -> ExperimentDetail:
    found = _found(here, name)
    with here.reading() as connection:
        events = [ExperimentEvent.model_validate(one) for one in kept.history(connection, name)]
    return ExperimentDetail(**found.model_dump(), events=events)


@router.get(
    "/experiments/{name}/report",
    summary="What an experiment shows so far, with the outcomes that became known.",
    response_model=Report,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def report(
    name: Name, _: Reader, here: Here, form: Annotated[Literal["json", "html"], Query(alias="format")] = "json"
) -> Report | Response:
    _found(here, name)
    if form == "html":
        page: str = here.engine("experiments").call(f"{_ENGINE}:report_page", name=name)
        return HTMLResponse(page, headers={"content-security-policy": _PAGE_POLICY})
    return Report(**here.engine("experiments").call(f"{_ENGINE}:report", name=name))


@router.post("/experiments/{name}/ramp", summary="Give treatments a larger share of units.")
def ramp(name: Name, given: Ramp, who: Deployer, here: Here, request: Request) -> Experiment:
    """Units that were answered keep their version."""
    _found(here, name)
    with here.writing() as connection, connection.transaction():
        with as_things_stand():
            grown = kept.ramp(connection, name, given.share, Cause(given.why, who.name))
        _audit(connection, who, f"ramp experiment to {given.share:g}", name, request)
    return Experiment.model_validate(grown)


@router.post("/experiments/{name}/stop", summary="End an experiment without a decision.")
def stop(name: Name, given: Reason, who: Deployer, here: Here, request: Request) -> Experiment:
    """The version in use stays; what was logged is kept, and can still be decided on."""
    _found(here, name)
    with here.writing() as connection, connection.transaction():
        with as_things_stand():
            stopped = kept.stop(connection, name, Cause(given.why, who.name))
        _audit(connection, who, "stop experiment", name, request)
    return Experiment.model_validate(stopped)


@router.post("/experiments/{name}/decide", summary="End an experiment for one of its versions.")
def decide(name: Name, given: Decision, who: Deployer, here: Here, request: Request, after: BackgroundTasks) -> Decided:
    """A treatment is promoted, or the control stays; the report's verdict is kept with it."""
    model = _found(here, name).model
    wanted = {"version": given.version, "why": given.why, "who": who.name, "request": request.scope["request_id"]}
    with as_things_stand():
        verdict: str = here.engine("experiments").call(f"{_ENGINE}:decide", name=name, **wanted)
    after.add_task(announce, here, model)
    return Decided(**_found(here, name).model_dump(), verdict=verdict)


def _found(here: Serving, name: str) -> Experiment:
    with here.reading() as connection:
        try:
            return Experiment.model_validate(kept.named(connection, name))
        except UserError as unknown:
            raise HTTPException(404, str(unknown)) from None


def _audit(connection: Any, who: Principal, action: str, name: str, request: Request) -> None:
    audit.record(connection, audit.Entry(who.name, action, name, None, request.scope["request_id"]))
