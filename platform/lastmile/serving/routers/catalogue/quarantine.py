"""What is quarantined: how much, why, row by row, and decisions about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from lastmile.access.principal import Principal
from lastmile.ledger.state import undecided
from lastmile.quarantine import query
from lastmile.quarantine.query import Selection
from lastmile.quarantine.selection import check
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import Id
from lastmile.serving.parameters import Name as Label
from lastmile.serving.schemas import Undecided
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1/quarantine", tags=["catalogue"])

Reader = Annotated[Principal, may("read")]
Name = Label | None
Limit = Annotated[int, Query(ge=1, le=1_000)]
_PLACE = r"^[0-9]{1,18}-[0-9]{1,18}-(bad|duplicate)$"


class Totals(BaseModel):
    """How much: what was read in drops quarantined whole is apart from what broke the contract in loaded ones."""

    model_config = ConfigDict(from_attributes=True)

    rows: int = Field(description="that broke the contract, in drops whose other rows are loaded")
    duplicates: int = Field(description="that broke nothing: their first occurrence is loaded")
    rows_of_drops: int = Field(description="that broke the contract, in drops quarantined whole")
    drops: int = Field(description="quarantined whole")


class BrokenRule(BaseModel):
    dataset: str
    partition: str
    column: str | None
    rule: str | None
    rows: int
    drops: int
    example: str | None = Field(description="quotes a value: shown to roles that may see personal columns")


class Overview(BaseModel):
    totals: Totals
    undecided: Undecided
    rules: list[BrokenRule] = Field(description="a row may have broken several")


class Reason(BaseModel):
    column: str | None
    rule: str | None
    message: str | None = Field(description="quotes a value: shown to roles that may see personal columns")
    found: str | None = Field(description="as message")


class QuarantinedRow(BaseModel):
    drop: int
    dataset: str
    partition: str
    key: str = Field(description="of the drop's object")
    line: int
    kind: Literal["bad", "duplicate"]
    reasons: list[Reason]
    raw: str | None = Field(description="the row as it arrived, shown to roles that may see personal columns")
    discarded_why: str | None


class QuarantinedRows(BaseModel):
    """By drop and line. `after` requests the next page; null where this is the last one."""

    rows: list[QuarantinedRow]
    after: str | None


class QuarantinedDrop(BaseModel):
    id: int
    dataset: str
    partition: str
    key: str
    version: str
    size: int
    modified_at: datetime
    state: str
    message: str | None = Field(description="may quote a value: shown to roles that may see personal columns")
    discarded_why: str | None
    is_requested: bool = Field(description="to be ingested again, not carried out yet")
    is_unfit: bool = Field(description="no contract fits it")


class QuarantinedDrops(BaseModel):
    """The newest first. `before` requests the next page; null where this is the last one."""

    drops: list[QuarantinedDrop]
    before: int | None


@router.get("", summary="How much is quarantined, and which rules were broken.")
def overview(
    reader: Reader, here: Here, dataset: Name = None, partition: Name = None, discarded: bool = False
) -> Overview:
    selection = Selection(dataset, partition, store=here.store.url, discarded=discarded)
    with here.reading() as connection:
        check(connection, selection)
        rules = query.overview(connection, selection)
        counts = undecided(connection, here.store.url, dataset, partition)
        totals = query.totals(connection, selection)
    shown = reader.may("personal")
    return Overview(
        totals=Totals.model_validate(totals),
        undecided=Undecided(**counts),
        rules=[BrokenRule(**{**one, "example": one["example"] if shown else None}) for one in rules],
    )


@router.get("/rows", summary="Quarantined rows, page by page.")
def rows(
    reader: Reader,
    here: Here,
    dataset: Name = None,
    partition: Name = None,
    drop: Id | None = None,
    rule: Name = None,
    column: Name = None,
    discarded: bool = False,
    limit: Limit = 100,
    after: Annotated[str | None, Query(pattern=_PLACE, description="`after` of the page before")] = None,
) -> QuarantinedRows:
    """Each with the line it is on and every rule it broke."""
    selection = Selection(dataset, partition, drop, rule, column, store=here.store.url, discarded=discarded)
    with here.reading() as connection:
        check(connection, selection)
        found = query.rows(connection, selection, limit + 1, _place(after))
    page, more = found[:limit], len(found) > limit
    last = page[-1] if more else None
    return QuarantinedRows(
        rows=[_row(one, reader.may("personal")) for one in page],
        after=f"{last['drop_id']}-{last['line']}-{last['kind']}" if last else None,
    )


@router.get("/drops", summary="Drops quarantined whole, the newest first.")
def drops(
    reader: Reader,
    here: Here,
    dataset: Name = None,
    partition: Name = None,
    discarded: bool = False,
    limit: Limit = 100,
    before: Annotated[Id | None, Query(description="`before` of the page before")] = None,
) -> QuarantinedDrops:
    """Nothing of them is loaded; the message says why."""
    selection = Selection(dataset, partition, store=here.store.url, discarded=discarded)
    with here.reading() as connection:
        check(connection, selection)
        found = query.drops(connection, selection, limit + 1, before)
    page, shown = found[:limit], reader.may("personal")
    return QuarantinedDrops(
        drops=[QuarantinedDrop(**{**one, "message": one["message"] if shown else None}) for one in page],
        before=page[-1]["id"] if len(found) > limit else None,
    )


def _row(found: Mapping[str, Any], shown: bool) -> QuarantinedRow:
    reasons = [_reason(one, shown) for one in found["reasons"]]
    raw = found["raw"] if shown else None
    return QuarantinedRow(**{**found, "drop": found["drop_id"], "reasons": reasons, "raw": raw})


def _reason(found: Mapping[str, Any], shown: bool) -> Reason:
    quoted = {name: found.get(name) if shown else None for name in ("message", "found")}
    return Reason(column=found.get("column"), rule=found.get("rule"), **quoted)


def _place(after: str | None) -> query.Place | None:
    if after is None:
        return None
    drop, line, kind = after.split("-")
    return int(drop), int(line), kind


def counted(rows: Mapping[int, Sequence[int]]) -> int:
    return sum(map(len, rows.values()))


def refuse_everything(chosen: BaseModel) -> None:
    """Raises HTTPException where a decision names no part of what is quarantined, or lines without their drop."""
    named = chosen.model_dump(exclude_none=True)
    if "lines" in named and "drop" not in named:
        raise HTTPException(409, "`lines` are those of one drop: say which with `drop`")
    if not named.keys() & {"dataset", "partition", "drop", "rule", "column"}:
        raise HTTPException(409, "say what: `drop`, `dataset`, `partition`, `rule` or `column`; GET /quarantine helps")
