"""Decisions about what is quarantined: release, discard, correct.

They are the functions of `lastmile quarantine`. A release is a request in the ledger, which the platform carries out
as soon as it is up.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from lastmile import ledger
from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.operations.daemon import daemon
from lastmile.quarantine import discard, release
from lastmile.quarantine.query import Selection
from lastmile.quarantine.selection import check_for_decision
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import NO_NUL, Id, Name, named
from lastmile.serving.routers.catalogue.quarantine import counted, refuse_everything
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1/quarantine", tags=["catalogue"])

Decider = Annotated[Principal, may("release")]
Why = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*\S[^\x00]*$")]
Cell = Annotated[str, Field(max_length=100_000, pattern=NO_NUL)]
_MOST = 10_000


class Chosen(BaseModel):
    """A part of what is quarantined; say at least one of drop, dataset, partition, rule and column."""

    model_config = ConfigDict(extra="forbid")

    dataset: Name | None = None
    partition: Name | None = None
    drop: Id | None = None
    rule: Name | None = Field(default=None, description="rows that broke it")
    column: Name | None = Field(default=None, description="rows that broke a rule of it")
    lines: Annotated[list[Id], Field(min_length=1, max_length=_MOST)] | None = Field(
        default=None, description="of the drop"
    )
    why: Why
    dry_run: bool = Field(default=False, description="only count")


class Release(Chosen):
    discarded: bool = Field(default=False, description="also what was discarded")


class LeftOut(BaseModel):
    drop: int
    message: str | None = Field(description="shown to roles that may see personal columns")


class Decision(BaseModel):
    """What it is about, and whether it was done."""

    rows: int = Field(description="single rows of loaded drops")
    drops: int = Field(description="drops quarantined whole")
    dry_run: bool


class Released(Decision):
    requested: list[int] = Field(description="the drops that are to be ingested again")
    left_out: list[LeftOut] = Field(description="drops that no contract fits")
    daemon: Literal["ready", "away"] = Field(description="Dagster's; away, it carries this out when it is back")


class CorrectedRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    drop: Id
    line: Id
    cells: Annotated[
        dict[Name, Cell],
        Field(min_length=1, max_length=500, json_schema_extra=named),
    ] = Field(description="new values by column, written as in the drop's file")


class Corrections(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rows: Annotated[list[CorrectedRow], Field(min_length=1, max_length=1_000)]
    why: Why


class StillBroken(BaseModel):
    drop: int
    line: int
    reasons: list[str] = Field(description="shown to roles that may see personal columns")


class Corrected(BaseModel):
    rows: int = Field(description="corrected")
    refused: list[StillBroken] = Field(description="rows that would still break the contract: not changed")
    requested: list[int] = Field(description="the drops that are to be ingested again")


@router.post("/release", summary="Ingest quarantined rows or drops again.", status_code=202)
def release_chosen(chosen: Release, decider: Decider, here: Here, request: Request) -> Released:
    """Rows are read again from their file and validated against the contract as it is then; those that fit are loaded,
    no other row changes. Once more changes nothing."""
    refuse_everything(chosen)
    with here.reading() as connection:
        standing = daemon(connection)
    with here.writing() as connection, connection.transaction():
        selection = _selection(chosen, here.store.url, chosen.discarded)
        check_for_decision(connection, selection)
        found, requested = release.releasable(connection, selection), []
        if found and not chosen.dry_run:
            requested = release.release(connection, found.rows, found.drops)
            for drop in requested:
                ledger.add_event(connection, drop, f"released by {decider.name}: {chosen.why}")
            _audit(connection, decider, "release quarantined", chosen, counted(found.rows), request)
        return Released(
            rows=counted(found.rows),
            drops=len(found.drops),
            dry_run=chosen.dry_run,
            requested=requested,
            left_out=[
                LeftOut(drop=one["id"], message=one["message"] if decider.may("personal") else None)
                for one in found.unfit
            ],
            daemon=standing,
        )


@router.post("/discard", summary="Give up quarantined rows or drops.")
def discard_chosen(chosen: Chosen, decider: Decider, here: Here, request: Request) -> Decision:
    """They are no longer listed, and not loaded when their drop is ingested again; they stay counted. A release with
    `discarded` wants them back."""
    refuse_everything(chosen)
    with here.writing() as connection, connection.transaction():
        selection = _selection(chosen, here.store.url)
        check_for_decision(connection, selection)
        found = discard.discardable(connection, selection)
        if found and not chosen.dry_run:
            discard.discard(connection, found.rows, found.drops, chosen.why)
            _audit(connection, decider, "discard quarantined", chosen, counted(found.rows), request)
    return Decision(rows=counted(found.rows), drops=len(found.drops), dry_run=chosen.dry_run)


@router.post("/correct", summary="Give quarantined rows the values they should have had.", status_code=202)
def correct(given: Corrections, decider: Decider, here: Here, request: Request) -> Corrected:
    """Rows that are valid with their new values are loaded with the drop's other rows by the next run. Who corrected
    what, when and why is kept with the text as it arrived."""
    done = here.engine("corrections").call(
        "lastmile.serving.engine.correcting:corrected",
        rows=[one.model_dump() for one in given.rows],
        who=decider.name,
        why=given.why,
        request=request.scope["request_id"],
    )
    if not decider.may("personal"):
        done["refused"] = [{**one, "reasons": []} for one in done["refused"]]
    return Corrected(**done)


def _selection(chosen: Chosen, store: str, discarded: bool = False) -> Selection:
    lines = tuple(chosen.lines) if chosen.lines else None
    return Selection(chosen.dataset, chosen.partition, chosen.drop, chosen.rule, chosen.column, lines, store, discarded)


def _audit(
    connection: Connection, decider: Principal, action: str, chosen: Chosen, rows: int, request: Request
) -> None:
    named = chosen.model_dump(exclude_none=True, include={"dataset", "partition", "drop", "rule", "column"})
    subject = " ".join(f"{name} {value}" for name, value in named.items())
    audit.record(connection, audit.Entry(decider.name, action, subject, rows, request.scope["request_id"]))
