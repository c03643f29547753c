"""Records as JSON, gathered into drops."""

import hashlib
from typing import Annotated, Any, Literal
from uuid import uuid4

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from lastmile.access.principal import Principal
from lastmile.ingestion.submissions import Record, Submission
from lastmile.ingestion.submissions.objects import lines
from lastmile.ingestion.submissions.parsing import MOST_ID_CHARACTERS, MOST_RECORDS, MOST_REVISION, Parsed, parse
from lastmile.serving.door.permission import may
from lastmile.serving.intake.accepting import (
    IdempotencyKey,
    Name,
    PartitionKey,
    dataset_of,
    intake,
    opened,
    partition_of,
)
from lastmile.serving.intake.submitted import ACCEPTED, Feedback, JudgedRow, Submitted, submitted
from lastmile.serving.problems import documented, problem
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["ingest"])
lifespan = opened

_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
#: More is parsed in a thread, so that other requests do not wait.
_LARGE_BYTES = 2**15
_ROW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "_id": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": MOST_ID_CHARACTERS,
            "pattern": r"^[\x20-\x7e]*$",
        },
        "_revision": {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_REVISION},
    },
}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [_ROW, {"type": "array", "items": _ROW, "minItems": 1, "maxItems": MOST_RECORDS}]}
        },
        "application/x-ndjson": {"schema": {"type": "string", "description": "an object a line"}},
    },
}


@router.post(
    "/datasets/{name}/records",
    summary="Send records: one, an array, or one a line.",
    status_code=202,
    response_model=Submitted,
    responses=ACCEPTED
    | {200: {"model": Feedback, "description": "With `validate=only`"}}
    | documented(
        {
            409: "With `validate=now` records that break the contract, each with its faults; or a key used before",
            415: "Neither JSON nor JSON Lines",
        }
    ),
    openapi_extra={"requestBody": _BODY},
)
async def send_records(
    name: Name,
    request: Request,
    principal: Annotated[Principal, may("upload")],
    here: Here,
    partition: PartitionKey = None,
    validate: Annotated[
        Literal["later", "now", "only"],
        Query(description="`now`: accept all rows, or where one breaks the contract none; `only`: store nothing"),
    ] = "later",
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Each record is a row of the dataset. Two of its fields are about it and no columns: `_id`, the client's own id of
    what it describes (a UUID), and `_revision`, a whole number.

    Sent again with the same `_id` and content, a record is the one that was there before. With other content it is a
    new revision, whose row replaces the one before: the highest `_revision` counts, and without one what arrives last.
    To return to a content that a record had before, send a `_revision`. Without `_id` every record is another one.
    """
    dataset = await dataset_of(here, principal, name)
    where = partition_of(dataset, partition)
    body, is_lines = await request.body(), _is_lines(request)
    parsed = await run_sync(parse, body, is_lines) if len(body) > _LARGE_BYTES else parse(body, is_lines)
    if validate != "later":
        rows = await run_sync(_judged, here, request, name, dataset.version, parsed)
        is_valid = all(row["valid"] for row in rows)
        if validate == "only":
            return JSONResponse({"valid": is_valid, "rows": rows})
        if not is_valid:
            bad = [row for row in rows if not row["valid"]]
            return problem(409, f"{len(bad):,} of {len(rows):,} records break the contract; none is stored", errors=bad)
    job = uuid4()
    records = [
        Record(name, where, one.record or f"{job}/{place}", one.body, one.revision, canonical=one.canonical)
        for place, one in enumerate(parsed, 1)
    ]
    fingerprint = hashlib.sha256(f"records\0{name}\0{partition}\0".encode() + body).digest()
    sent = Submission(
        job, "records", name, where, principal.name, fingerprint, records, idempotency_key, bytes=len(body)
    )
    return submitted(await intake(request).submit(sent, request.scope["request_id"]), dataset, where)


@router.delete(
    "/datasets/{name}/records/{record}",
    summary="Withdraw a record: its row vanishes.",
    status_code=202,
    response_model=Submitted,
    responses=ACCEPTED,
)
async def withdraw_record(
    name: Name,
    record: Annotated[str, Path(max_length=MOST_ID_CHARACTERS, pattern=r"^[^\x00/]+$", description="its `_id`")],
    request: Request,
    principal: Annotated[Principal, may("upload")],
    here: Here,
    revision: Annotated[int | None, Query(ge=0, le=MOST_REVISION, description="as `_revision` of a record")] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Of an unknown record too, since its first revision may be on its way. A record comes back with a higher
    `_revision`."""
    dataset = await dataset_of(here, principal, name)
    where = partition_of(dataset, None)
    withdrawn = Record(name, where, record, "{}", revision, withdrawn=True, canonical=b"withdrawn")
    fingerprint = hashlib.sha256(f"withdraw\0{name}\0{record}\0{revision}".encode()).digest()
    sent = Submission(uuid4(), "records", name, where, principal.name, fingerprint, [withdrawn], idempotency_key)
    return submitted(await intake(request).submit(sent, request.scope["request_id"]), dataset, where)


def _is_lines(request: Request) -> bool:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return False
    if kind in _LINES:
        return True
    raise HTTPException(
        415,
        f"expected Content-Type application/json or application/x-ndjson, found {kind[:100]!r}; other formats go to"
        " /datasets/{name}/files",
    )


def _judged(here: Serving, request: Request, name: str, version: str, parsed: list[Parsed]) -> list[dict[str, Any]]:
    rows = lines([one.body for one in parsed], intake(request).required(name))
    called = "lastmile.serving.engine.validating:validated"
    found: list[dict[str, Any]] = here.engine("validation").call(called, dataset=name, version=version, rows=rows)
    return [JudgedRow.model_validate(one).model_dump() for one in found]
