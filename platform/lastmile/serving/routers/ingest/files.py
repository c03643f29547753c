"""Files, streamed into the landing area."""

import hashlib
from email.message import Message
from typing import Annotated, Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.requests import ClientDisconnect

from lastmile.access import audit
from lastmile.access.principal import Principal
from lastmile.ingestion.submissions import Submission
from lastmile.serving.door.permission import may
from lastmile.serving.intake.accepting import IdempotencyKey, Name, PartitionKey, dataset_of, partition_of
from lastmile.serving.intake.digests import verify_sha256
from lastmile.serving.intake.landing import key_of, land, new_key
from lastmile.serving.intake.multipart import FileOfForm
from lastmile.serving.intake.spool import Spool, too_large
from lastmile.serving.intake.submitted import ACCEPTED, Submitted, submitted
from lastmile.serving.problems import documented
from lastmile.serving.state import Here

router = APIRouter(prefix="/api/v1", tags=["ingest"])

_DIGESTS = ("content-digest", "repr-digest")
_FILE = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": _FILE},
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}},
    },
}


@router.post(
    "/datasets/{name}/files",
    summary="Send a file: CSV, Excel, JSON, Parquet.",
    status_code=202,
    response_model=Submitted,
    responses=ACCEPTED
    | documented(
        {
            400: "No file in the form, or other bytes than its digest says",
            413: "Larger than the dataset's files may be",
        }
    ),
    openapi_extra={"requestBody": _BODY},
)
async def send_file(
    name: Name,
    request: Request,
    principal: Annotated[Principal, may("upload")],
    here: Here,
    partition: PartitionKey = None,
    file_name: Annotated[
        str | None,
        Query(
            alias="name",
            min_length=1,
            max_length=512,
            pattern=r"^[^\x00]*$",
            description="the name it gets: the same again with other bytes is a new version, which replaces the rows of"
            " the one before. Unless given, a new name",
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The body is the file (`curl --data-binary @f`, `curl -X POST -T f`) or a form with one (`curl -F file=@f`). It is
    streamed: its size is limited by the dataset's contract only. For lines that break, see /datasets/{name}/uploads.
    With a header `Content-Digest: sha-256=:<base64>:` or `Repr-Digest`, its bytes are verified."""
    dataset = await dataset_of(here, principal, name)
    where = partition_of(dataset, partition)
    if file_name is not None:
        key_of(name, where, file_name)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > dataset.most_bytes + 2**16:
        raise too_large(dataset.most_bytes)
    with Spool(dataset.most_bytes) as spool:
        given = await _received(request, spool)
        for header in _DIGESTS:
            verify_sha256(request.headers.get(header), spool.sha256)
        job = _job(principal.name, idempotency_key)
        key = key_of(name, where, file_name) if file_name is not None else new_key(name, where, job, given)
        fingerprint = hashlib.sha256(f"file\0{name}\0{partition}\0{file_name}\0".encode() + spool.sha256).digest()
        sent = Submission(job, "file", name, where, principal.name, fingerprint, [], idempotency_key, spool.size)
        entry = audit.Entry(principal.name, "submit file", f"{name}/{where}", None, request.scope["request_id"])
        accepted = await run_sync(land, here, spool.path, sent, key, spool.sha256.hex(), entry)
    return submitted(accepted, dataset, where)


async def _received(request: Request, spool: Spool) -> str:
    """The body in the spool; returns the file's own name, empty where it has none."""
    kind = Message()
    kind["content-type"] = request.headers.get("content-type", "application/octet-stream")
    boundary = kind.get_boundary() if kind.get_content_type() == "multipart/form-data" else None
    form = FileOfForm(boundary.encode()) if boundary else None
    try:
        async for chunk in request.stream():
            await spool.add(form.feed(chunk) if form else chunk)
    except ClientDisconnect:
        raise HTTPException(400, "the connection ended before the body did; nothing is stored") from None
    if form and not form.found:
        raise HTTPException(400, "expected a file in the form, found none: curl -F file=@visits.csv")
    await spool.close()
    return (form.name or "") if form else ""


def _job(principal: str, idempotency_key: str | None) -> UUID:
    """The same for the same request, so that it lands under the same name however often it is tried."""
    return uuid5(NAMESPACE_URL, f"{principal}\0{idempotency_key}") if idempotency_key else uuid4()
