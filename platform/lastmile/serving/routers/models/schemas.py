"""What the endpoints of models are sent and answer, field by field."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lastmile.catalogue import ModelEntry

Version = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$", description="number of a version")]
Why = Annotated[
    str, Field(min_length=1, max_length=1_024, pattern=r"^[^\x00]*\S[^\x00]*$", description="the reason, kept")
]


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: Why


class Promotion(Reason):
    version: Version


class Rollback(Reason):
    version: Version | None = Field(default=None, description="the one in use before where none is named")


class Done(BaseModel):
    done: str = Field(description="what became of it")
    champion: str | None = Field(description="the version in use now")


class Training(BaseModel):
    run: str = Field(description="to follow at /runs/{id}")


class InUse(BaseModel):
    version: str
    since: datetime
    held_since: datetime | None = Field(description="no candidate replaces it")
    held_by: str | None
    held_reason: str | None


class ModelSummary(BaseModel):
    name: str
    description: str
    owner: str
    kind: Literal["classification", "regression"]
    target: str
    features: str
    champion: InUse | None
    newest: str | None = Field(description="version made last")
    scores: dict[str, float] = Field(description="of the champion")


class VersionSummary(BaseModel):
    version: str
    created_at: datetime
    type: str | None = Field(description="of estimator")
    in_use: bool
    decision: str | None = Field(description="promote, archive or suspect, as it was judged")
    reasons: list[str]
    scores: dict[str, float]
    dummy: dict[str, float] = Field(description="what is scored without learning anything")
    rows: int | None = Field(description="it was trained on")
    export: bool = Field(description="whether it can answer requests")


class HistoryEvent(BaseModel):
    at: datetime
    version: str
    event: str
    previous: str | None
    reason: str
    actor: str
    run_id: str | None


class LastTraining(BaseModel):
    at: datetime
    reason: str
    outcome: str | None
    version: str | None
    run_id: str | None


class ModelDetail(BaseModel):
    declaration: ModelEntry
    inputs: list[dict[str, Any]] = Field(description="what a row to predict has: name, kind, unit, levels, bounds")
    champion: InUse | None
    versions: list[VersionSummary] = Field(description="the newest first")
    history: list[HistoryEvent] = Field(description="the newest first, at most 200")
    last_training: LastTraining | None


class VersionDetail(VersionSummary):
    features: list[str]
    signature: dict[str, Any]
    data_versions: dict[str, Any] = Field(description="exactly the data that made it")
    evaluation: dict[str, Any] = Field(description="all that was found of it")
    code_version: str | None
    environment: dict[str, str]
    sha256: str
    run_id: str | None
    onnx: dict[str, Any] = Field(description="the export, or why there is none")


class Monitored(BaseModel):
    """A partition by the champion of then."""

    partition_start: date
    model_version: str
    rows: int
    compared_with: int
    new_labelled: int = Field(description="labelled rows that the version was not trained on")
    drifted: list[str] = Field(description="inputs, each with its size")
    predictions_drifted: str | None
    metric: str | None
    score: float | None
    score_error: float | None
    expected: float | None = Field(description="in evaluation")
    expected_error: float | None
    performance_fell: bool
    monitored_at: datetime


class Drift(BaseModel):
    partition_start: date
    feature: str = Field(description="an input, or the target: then of what was predicted")
    test: str
    effect: float
    p_value: float
    psi: float | None = Field(description="null: endless")
    critical_psi: float | None = Field(description="above it the PSI is by luck in one case of twenty; null: endless")
    missing_then: float
    missing_now: float
    adjusted_p: float
    drifted: bool


class Answered(BaseModel):
    """Answers to requests, of one day (UTC) and version."""

    day: date
    version: str
    answers: int
    levels: dict[str, int] = Field(description="how many had each level")
    p95_milliseconds: float


class Performance(BaseModel):
    versions: list[VersionSummary]
    monitoring: list[Monitored] = Field(description="the newest partition first")
    drift: list[Drift] = Field(description="of these partitions")
    answers: list[Answered] = Field(description="the newest day first")
