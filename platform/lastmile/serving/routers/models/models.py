"""Models: what is declared and in use, how good each version is, and which one is to be used."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from psycopg import Connection

from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.catalogue import FeatureSetEntry, ModelEntry
from lastmile.errors import Unreachable, UserError
from lastmile.learning.monitoring import answers, found
from lastmile.learning.registry import changing, deployments, judgements, trainings
from lastmile.learning.registry.events import Cause, history
from lastmile.learning.registry.versions import ModelVersion, version_of, versions
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import MODEL, Text
from lastmile.serving.routers.models.schemas import (
    Answered,
    Done,
    Drift,
    HistoryEvent,
    InUse,
    LastTraining,
    ModelDetail,
    ModelSummary,
    Monitored,
    Performance,
    Promotion,
    Reason,
    Rollback,
    Training,
    VersionDetail,
    VersionSummary,
)
from lastmile.serving.state import Here, Serving
from lastmile.store import Missing

log = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["models"])

Reader = Annotated[Principal, may("read")]
Deployer = Annotated[Principal, may("deploy")]
Runner = Annotated[Principal, may("run")]
Name = Annotated[Text, Path(examples=MODEL)]
Number = Annotated[Text, Path(examples=["1"])]
#: The card is a page of its own, with its style and pictures within it.
_CARD_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


@router.get("/models", summary="All declared models, and how the version in use is.")
def list_models(_: Reader, here: Here) -> list[ModelSummary]:
    with here.reading() as connection:
        return [_summary(connection, entry) for _, entry in sorted(here.catalogue().models.items())]


@router.get(
    "/models/{name}",
    summary="One model: declaration, versions, history; as a page its card.",
    response_model=ModelDetail,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def show_model(
    name: Name, reader: Reader, here: Here, form: Annotated[Literal["json", "html"], Query(alias="format")] = "json"
) -> ModelDetail | Response:
    entry = _entry(here, name)
    with here.reading() as connection:
        used = deployments.deployment(connection, name)
        known, last = versions(connection, name), trainings.last(connection, name)
        if form == "html":
            chosen = used.version if used else known[0].version if known else None
            return _card(here, reader, name, next((one for one in known if one.version == chosen), None))
        return ModelDetail(
            declaration=entry,
            inputs=_inputs(entry, here.catalogue().feature_sets.get(entry.features)),
            champion=_in_use(used),
            versions=[_version(connection, one, used) for one in known],
            history=[HistoryEvent(**event) for event in history(connection, name)[:200]],
            last_training=LastTraining.model_validate(last, from_attributes=True) if last else None,
        )


@router.get("/models/{name}/versions/{version}", summary="One version, with all that was found of it.")
def show_version(name: Name, version: Number, reader: Reader, here: Here) -> VersionDetail:
    _entry(here, name)
    with here.reading() as connection:
        one = _found_version(connection, name, version)
        summary = _version(connection, one, deployments.deployment(connection, name))
    return VersionDetail(
        **summary.model_dump(),
        features=one.features,
        signature=one.signature,
        data_versions=one.data_versions,
        evaluation=_evaluation(here, reader, one),
        code_version=one.code_version,
        environment=one.environment,
        sha256=one.sha256,
        run_id=one.run_id,
        onnx={key: value for key, value in one.onnx.items() if key != "typical"},
    )


@router.get("/models/{name}/performance", summary="Scores by version, monitoring by partition, drift, answers by day.")
def performance(
    name: Name,
    _: Reader,
    here: Here,
    partitions: Annotated[int, Query(ge=1, le=100, description="of monitoring")] = 12,
    days: Annotated[int, Query(ge=1, le=365, description="of answers")] = 30,
) -> Performance:
    _entry(here, name)
    with here.reading() as connection:
        used = deployments.deployment(connection, name)
        monitored = found.partitions(connection, name, partitions)
        starts = [one["partition_start"] for one in monitored]
        return Performance(
            versions=[_version(connection, one, used) for one in versions(connection, name)],
            monitoring=[Monitored(**one) for one in monitored],
            drift=[Drift(**one) for one in found.drift(connection, name, starts)],
            answers=[Answered(**one) for one in answers.answered(connection, name, days)],
        )


@router.post("/models/{name}/promote", summary="Put a version in use, whatever it was judged.")
def promote(name: Name, given: Promotion, who: Deployer, here: Here, request: Request, after: BackgroundTasks) -> Done:
    """Candidates may still replace it. Processes that predict change over at once, and drop no request."""
    return _changed(
        (here, request, after),
        name,
        who,
        f"promote version {given.version}",
        partial(changing.promote, name=name, version=given.version),
        given,
    )


@router.post("/models/{name}/rollback", summary="Put an earlier version in use, and hold it.")
def roll_back(name: Name, given: Rollback, who: Deployer, here: Here, request: Request, after: BackgroundTasks) -> Done:
    """No candidate replaces it until it is released."""
    action = f"roll back to {given.version or 'the one before'}"
    return _changed(
        (here, request, after),
        name,
        who,
        action,
        partial(changing.roll_back, name=name, version=given.version),
        given,
    )


@router.post("/models/{name}/hold", summary="Keep candidates from replacing the version in use.")
def hold(name: Name, given: Reason, who: Deployer, here: Here, request: Request, after: BackgroundTasks) -> Done:
    return _changed((here, request, after), name, who, "hold champion", partial(changing.hold, name=name), given)


@router.post("/models/{name}/release", summary="Let candidates replace the version in use again.")
def release(name: Name, given: Reason, who: Deployer, here: Here, request: Request, after: BackgroundTasks) -> Done:
    return _changed((here, request, after), name, who, "release champion", partial(changing.release, name=name), given)


@router.post("/models/{name}/train", summary="Train a model, judge it, promote it if it is better.", status_code=202)
def train(name: Name, given: Reason, who: Runner, here: Here, request: Request) -> Training:
    _entry(here, name)
    launched = here.engine("dagster").call(
        "lastmile.serving.engine.launching:train", model=name, why=given.why, who=who.name
    )
    with here.writing() as connection:
        audit.record(connection, audit.Entry(who.name, "train model", name, None, request.scope["request_id"]))
    return Training(run=launched["run"])


def announce(here: Serving, name: str) -> None:
    """Let Dagster know of the champion; where it is away, it makes predictions anew when they are next due."""
    try:
        here.engine("dagster").call("lastmile.serving.engine.championing:announce", model=name)
    except Exception as error:  # of whatever kind: the change itself is made
        log.warning("Dagster does not know of the champion of %s: %s", name, error)


_Places = tuple[Serving, Request, BackgroundTasks]


def _changed(
    places: _Places,
    name: str,
    who: Principal,
    action: str,
    change: Callable[..., str],
    given: Reason,
) -> Done:
    here, request, after = places
    _entry(here, name)
    with here.writing() as connection, connection.transaction():
        if isinstance(given, Promotion | Rollback) and given.version:
            _found_version(connection, name, given.version)
        with as_things_stand():
            done = change(connection, cause=Cause(given.why, who.name))
        audit.record(connection, audit.Entry(who.name, action, name, None, request.scope["request_id"]))
        used = deployments.deployment(connection, name)
    after.add_task(announce, here, name)
    return Done(done=done, champion=used.version if used else None)


@contextmanager
def as_things_stand() -> Iterator[None]:
    """What is refused is no fault of the request: the answer is 409."""
    try:
        yield
    except Unreachable:
        raise
    except UserError as refused:
        raise HTTPException(409, str(refused)) from None


def _entry(here: Serving, name: str) -> ModelEntry:
    known = here.catalogue().models
    if name not in known:
        raise HTTPException(
            404, f"no model {name[:100]!r} is declared; there are: {', '.join(sorted(known)) or 'none'}"
        )
    return known[name]


def _found_version(connection: Connection, name: str, version: str) -> ModelVersion:
    try:
        return version_of(connection, name, version)
    except UserError as unknown:
        raise HTTPException(404, str(unknown)) from None


def _summary(connection: Connection, entry: ModelEntry) -> ModelSummary:
    used, champion = deployments.deployment(connection, entry.name), deployments.champion(connection, entry.name)
    newest = versions(connection, entry.name, most=1)
    return ModelSummary(
        **entry.model_dump(include={"name", "description", "owner", "kind", "target", "features"}),
        champion=_in_use(used),
        newest=newest[0].version if newest else None,
        scores=_numbers(champion.scores) if champion else {},
    )


def _in_use(used: deployments.Deployment | None) -> InUse | None:
    return InUse.model_validate(used, from_attributes=True) if used else None


def _version(connection: Connection, one: ModelVersion, used: deployments.Deployment | None) -> VersionSummary:
    judged = judgements.last(connection, one.name, one.version)
    return VersionSummary(
        version=one.version,
        created_at=one.created_at,
        type=one.model_type,
        in_use=used is not None and used.version == one.version,
        decision=judged.decision if judged else None,
        reasons=judged.reasons if judged else [],
        scores=_numbers(one.scores),
        dummy=_numbers(one.scores.get("dummy", {})),
        rows=one.data_versions.get("row_count"),
        export="key" in one.onnx,
    )


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in scores.items() if isinstance(value, int | float)}


def _inputs(entry: ModelEntry, features: FeatureSetEntry | None) -> list[dict[str, Any]]:
    declared = features.inputs if features else []
    return [one.model_dump(exclude_none=True) for one in declared if one.name in entry.inputs]


def _evaluation(here: Serving, reader: Principal, one: ModelVersion) -> dict[str, Any]:
    """Without scores by values of personal columns, for who may not see them."""
    hidden = frozenset() if reader.may("personal") else here.catalogue().personal
    fairness = {name: by for name, by in one.scores.get("fairness", {}).items() if name not in hidden}
    return {**one.scores, "fairness": fairness} if "fairness" in one.scores else one.scores


def _card(here: Serving, reader: Principal, name: str, version: ModelVersion | None) -> Response:
    if version is None:
        raise HTTPException(404, f"{name} has no version yet, so no card: train it")
    if _evaluation(here, reader, version) != version.scores:
        raise HTTPException(403, "the card shows scores by values of personal columns, which your role may not see")
    try:
        page = here.store.read(f"models/{name}/{version.version}/card.html")
    except Missing:
        raise HTTPException(404, f"version {version.version} of {name} has no card: training writes one") from None
    return HTMLResponse(page, headers={"content-security-policy": _CARD_POLICY})
