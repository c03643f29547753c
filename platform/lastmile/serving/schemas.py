"""What the API answers, field by field; the descriptions are those of /openapi.json."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Rows(BaseModel):
    """Rows of the drops in force; read = loaded + quarantined + duplicate."""

    read: int
    loaded: int
    quarantined: int
    duplicate: int


class Undecided(BaseModel):
    """What is quarantined and neither released nor discarded."""

    rows: int
    drops: int


class Standing(BaseModel):
    """How a dataset, or all of them, stand."""

    drops: dict[str, int] = Field(description="number of drops by state")
    rows: Rows
    backlog: int = Field(description="drops waiting to be ingested")
    lag_seconds: float = Field(description="how long the oldest of them has been waiting")
    late: int = Field(description="drops that came after the end of their partition")
    lateness_seconds: float = Field(description="how long after it the latest of them came")
    newest_age_seconds: float | None = Field(description="age of the newest drop")
    undecided: Undecided
    failures: int = Field(description="drops that failed or are missing, and are not discarded")
    removed: int = Field(description="drops whose object clean-up has removed")


class Status(Standing):
    """All datasets together, each of them, and what was learnt from them."""

    datasets: dict[str, Standing]
    models: list[dict[str, Any]] = Field(description="the newest version of each model with its scores")
    predictions: dict[str, dict[str, int]] = Field(description="number of predictions by model and level")


class Drop(BaseModel):
    """A row of the ledger: one version of one object, and what became of it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    dataset: str
    partition: str
    key: str
    version: str
    size: int = Field(description="bytes")
    state: str
    message: str | None
    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int
    modified_at: datetime
    discovered_at: datetime
    appeared_at: datetime = Field(description="the earlier of the two before")
    partition_end: date | None = Field(description="first day after the partition")
    lateness_seconds: float | None
    settled_at: datetime | None
    removed_at: datetime | None = Field(description="when clean-up removed the object")
    discarded_at: datetime | None
    discarded_why: str | None
    superseded_by: int | None
    attempts: int
    run_id: str | None
    sha256: str | None
    format: dict[str, Any]
    schema_change: dict[str, Any]
    contract_version: str | None
    cleaned_key: str | None


class Event(BaseModel):
    """Something that happened to a drop."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    state: str
    run_id: str | None
    message: str | None


class DropWithEvents(Drop):
    """A drop and all that happened to it, oldest first."""

    events: list[Event]


class Page(BaseModel):
    """Drops, newest first. `after` requests the next page; null where this is the last one."""

    drops: list[Drop]
    after: int | None


class Ready(BaseModel):
    """What was tried."""

    database: str
    migrations: str = Field(description="`ready`, or `newer`: newer code has migrated the database, as in an upgrade")
    daemon: str = Field(description="Dagster's: `ready` or `away`; without it nothing is ingested")
    store: str


class Problem(BaseModel):
    """The form of every error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="what was expected, what was found, what to do")
    errors: list[dict[str, Any]] = Field(default=[], description="single faults of a body, each with its place")
