"""Read-only SQL, as a role that can do nothing else."""

import threading
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import psycopg
from fastapi import APIRouter, Request, Response
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, Field

from lastmile.access.principal import Principal
from lastmile.access.secret import derived
from lastmile.errors import Unreachable
from lastmile.serving.door.permission import may
from lastmile.serving.parameters import MOST, NO_NUL
from lastmile.serving.reading.negotiation import FILES, MEDIA_TYPES, InForm, chosen, refusal
from lastmile.serving.reading.tabular import written
from lastmile.serving.state import Here, Serving
from lastmile.warehouse.sandbox import SCHEMAS, Answer, Limits, Refused, Role, check, prepare, run, visible_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

router = APIRouter(prefix="/api/v1", tags=["data"])

LIMITS = Limits()
#: Queries at a time in one process; more wait, and are refused after some seconds.
_MOST = 4
_SECONDS_TO_WAIT = 5.0
_free = threading.BoundedSemaphore(_MOST)

Analyst = Annotated[Principal, may("query")]


#: Strict: a text that is too long is no number.
Value = (
    Annotated[str, Field(max_length=10_000, pattern=NO_NUL)]
    | Annotated[int, Field(strict=True, ge=-MOST, le=MOST)]
    | Annotated[float, Field(strict=True)]
    | Annotated[bool, Field(strict=True)]
    | None
)


class Statement(BaseModel):
    sql: str = Field(
        max_length=50_000,
        pattern=NO_NUL,
        description="one query in Postgres' SQL, on the schemas of data",
        examples=["SELECT count(*) FROM raw.hhinfo"],
    )
    parameters: list[Value] = Field(default=[], max_length=100, description="values of $1, $2, ...")
    limit: int = Field(default=LIMITS.rows, ge=1, le=LIMITS.rows, description="rows at most")


class ResultColumn(BaseModel):
    name: str
    type: str


class Result(BaseModel):
    columns: list[ResultColumn]
    rows: list[list[Any]]
    truncated: bool = Field(description=f"there are more rows than `limit`, or than fit into {LIMITS.bytes >> 20} MB")


@router.post(
    "/data/query",
    summary="Run a query in SQL.",
    response_class=Response,
    responses={
        200: {"model": Result, "content": FILES, "description": "What it found"},
        406: refusal("No such format"),
    },
)
def query(request: Request, given: Statement, principal: Analyst, here: Here, form: InForm = None) -> Response:
    """It reads, and nothing else: one SELECT on the schemas marts, intermediate, staging, features, online,
    predictions, raw (cleaned rows), windows, changes, seeds, snapshots and figures; at most 20 seconds, 100,000 rows
    and 64 MB. Roles that may not see personal columns cannot name them, nor `*` where there are some. Files have the
    header `Truncated: true` where rows are missing."""
    wanted = chosen(request, form)
    check(given.sql, frozenset(SCHEMAS))
    limits = Limits(given.limit, LIMITS.bytes, LIMITS.seconds)
    if not _free.acquire(timeout=_SECONDS_TO_WAIT):
        raise Unreachable(f"{_MOST} queries are at work already; try again when one has ended")
    try:
        answer = _answered(here, principal, given, limits)
    finally:
        _free.release()
    headers = {"Truncated": "true"} if answer.is_truncated and wanted != "json" else {}
    body = _json(answer) if wanted == "json" else written(answer.columns, answer.rows, wanted)
    return Response(body, media_type=MEDIA_TYPES[wanted], headers=headers)


def _answered(here: Serving, principal: Principal, given: Statement, limits: Limits) -> Answer:
    database = str(conninfo_to_dict(here.database_url).get("dbname", "lastmile"))
    role = Role.of(database, derived(here.secret, "queries"), principal.may("personal"))
    personal = here.catalogue().personal
    with here.writing() as owner:
        prepare(owner, role, personal)
    try:
        return _run(here, role, given, limits)
    except psycopg.OperationalError as error:
        if "authentication failed" not in str(error):
            raise
        with here.writing() as owner:  # another secret, or the role was changed by hand
            prepare(owner, role, personal, anew=True)
        return _run(here, role, given, limits)


def _run(here: Serving, role: Role, given: Statement, limits: Limits) -> Answer:
    try:
        return run(here.database_url, role, given.sql, given.parameters, limits)
    except Refused as refused:
        if "permission denied for" not in str(refused):
            raise
        raise Refused(f"{refused}; {_permitted(here, role, given.sql)}") from None


def _permitted(here: Serving, role: Role, statement: str) -> str:
    """Which columns may be named, of the tables that the statement mentions."""
    with here.reading() as connection:
        visible = visible_columns(connection, role)
    mentioned = [name for name in visible if name.partition(".")[2] in statement]
    listed = "; ".join(f"of {name}: {', '.join(visible[name])}" for name in mentioned[:5])
    return f"your role may name these columns, without * and whole rows, {listed or 'of no table mentioned'}"


def _json(answer: Answer) -> bytes:
    columns: Sequence[dict[str, str]] = [{"name": name, "type": kind} for name, kind in answer.columns]
    rows = b",".join(answer.rows)
    truncated = b"true" if answer.is_truncated else b"false"
    return b'{"columns":%b,"rows":[%b],"truncated":%b}' % (orjson.dumps(columns), rows, truncated)
