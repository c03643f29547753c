"""Files over lines that break, piece by piece: tus 1.0.0 with creation, expiration, checksum and termination.

Any client of tus can do it (`tusc`, tuspy, Uppy). What has arrived stays, whenever the connection ends, and the client
goes on from there, with whatever process answers then.
"""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID, uuid4

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, HTTPException, Path, Request, Response
from starlette.requests import ClientDisconnect

from lastmile.access.principal import Principal
from lastmile.ingestion.submissions import uploads
from lastmile.ingestion.submissions.uploads import Upload
from lastmile.serving.door.permission import may, open_to_all
from lastmile.serving.intake.accepting import Name, PartitionKey, dataset_of, partition_of, upload_landed
from lastmile.serving.intake.digests import decoded
from lastmile.serving.intake.landing import new_key
from lastmile.serving.intake.spool import too_large
from lastmile.serving.problems import documented
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["ingest"])

VERSION = "1.0.0"
_TUS = {"Tus-Resumable": VERSION}
#: A piece is held in memory until it is stored.
PIECE_BYTES = 4 * 2**20
#: tus' own status for bytes that are not what their checksum says.
_CHECKSUM_MISMATCH = 460
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "md5": hashlib.md5}
#: A request with a checksum is stored as a whole or not at all.
MOST_CHECKED_BYTES = 64 * 2**20

_BASE64 = r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_PAIR = rf"[!-+\--~]+( {_BASE64})?"
_METADATA = rf"^({_PAIR}( *, *{_PAIR})*)?$"

Uploader = Annotated[Principal, may("upload")]
#: tus says the first; many clients of HTTP know only the other.
_PIECES = ("application/offset+octet-stream", "application/octet-stream")
Id = Annotated[UUID, Path(description="the upload; its job has the same id once the file has landed")]
#: What any dataset may have of a file, unless its contract says otherwise.
MOST_FILE_BYTES = 20 * 2**30
Bytes = Annotated[int, Header(ge=0, le=MOST_FILE_BYTES)]
_HEADERS: dict[str, Any] = {"Tus-Resumable": {"schema": {"type": "string"}}}
_OFFSET = _HEADERS | {"Upload-Offset": {"schema": {"type": "integer"}, "description": "bytes that are stored"}}
_PROBLEMS = documented({404: "No such upload, or it has expired", 412: "Another version of tus"})


async def expect_version(request: Request) -> None:
    """A client that names no version is one of none other."""
    if request.headers.get("tus-resumable", VERSION) != VERSION:
        raise HTTPException(412, f"expected Tus-Resumable {VERSION}", headers={"Tus-Version": VERSION})


Resumable = Depends(expect_version)


@router.options("/datasets/{name}/uploads", summary="What of tus there is.", status_code=204)
@open_to_all
async def capabilities(name: Name) -> Response:  # noqa: ARG001
    return _capabilities()


@router.options("/uploads/{upload_id}", summary="What of tus there is.", status_code=204)
@open_to_all
async def capabilities_again(upload_id: Id) -> Response:  # noqa: ARG001
    return _capabilities()


def _capabilities() -> Response:
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,expiration,checksum,termination",
        "Tus-Checksum-Algorithm": ",".join(_HASHES),
    }
    return Response(status_code=204, headers=_TUS | headers)


@router.post(
    "/datasets/{name}/uploads",
    summary="Begin a file that arrives piece by piece.",
    dependencies=[Resumable],
    status_code=201,
    response_class=Response,
    responses=_PROBLEMS
    | documented({413: "Larger than the dataset's files may be"})
    | {201: {"headers": _HEADERS | {"Location": {"schema": {"type": "string"}}}}},
)
async def begin(
    name: Name,
    principal: Uploader,
    here: Here,
    upload_length: Bytes,
    partition: PartitionKey = None,
    upload_metadata: Annotated[
        str,
        Header(
            max_length=4_096,
            pattern=_METADATA,
            description="pairs of a key and a value in base64: `filename`, and perhaps `partition`",
        ),
    ] = "",
) -> Response:
    """PATCH the file to its Location; when it is whole it lands, and its job has the id of the upload."""
    dataset = await dataset_of(here, principal, name)
    if upload_length > dataset.most_bytes:
        raise too_large(dataset.most_bytes)
    given, upload_id = _metadata(upload_metadata), uuid4()
    where = partition_of(dataset, partition or given.get("partition"))
    key = new_key(name, where, upload_id, given.get("filename", ""))
    ends = datetime.now(UTC) + timedelta(days=uploads.DAYS)
    new = Upload(upload_id, name, where, key, principal.name, upload_length, upload_metadata, ends, None)
    await run_sync(_begin, here, new)
    return Response(
        status_code=201, headers=_TUS | {"Location": f"/api/v1/uploads/{upload_id}", "Upload-Expires": _date(ends)}
    )


@router.head(
    "/uploads/{upload_id}",
    summary="How much of it has arrived.",
    dependencies=[Resumable],
    response_class=Response,
    responses=_PROBLEMS | {200: {"headers": _OFFSET}},
)
async def arrived(upload_id: Id, principal: Uploader, here: Here) -> Response:
    """The place to go on from."""
    upload, offset = await run_sync(_found, here, upload_id, principal)
    headers = {"Upload-Offset": str(offset), "Upload-Length": str(upload.length)}
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(headers=_TUS | headers | {"Cache-Control": "no-store", "Upload-Expires": _date(upload.expires_at)})


@router.patch(
    "/uploads/{upload_id}",
    summary="The next piece of it.",
    dependencies=[Resumable],
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS
    | documented(
        {
            400: "Longer than it was said to be, or a checksum of no known kind",
            409: "Not the place to go on from: HEAD says which is",
            413: "Too large a piece to be checked",
            415: "Not application/offset+octet-stream",
            460: "Other bytes than their checksum says; none is stored",
        }
    )
    | {204: {"headers": _OFFSET}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add(
    upload_id: Id,
    request: Request,
    principal: Uploader,
    here: Here,
    upload_offset: Bytes,
) -> Response:
    """All bytes that arrive are kept, also where the connection ends before the body does; with a header
    `Upload-Checksum: sha256 <base64>`, only where it is right. The content type is application/offset+octet-stream, or
    application/octet-stream."""
    if request.headers.get("content-type") not in _PIECES:
        raise HTTPException(415, "expected Content-Type application/offset+octet-stream")
    checksum = _checksum(request.headers.get("upload-checksum"))
    upload, offset = await run_sync(_found, here, upload_id, principal)
    if upload_offset != offset:
        raise _out_of_place(upload_offset, offset)
    offset = await _stored(here, upload, offset, request, checksum)
    if offset == upload.length and not upload.landed_at:
        await run_sync(_finish, here, upload)
    return Response(status_code=204, headers=_TUS | {"Upload-Offset": str(offset)})


@router.delete(
    "/uploads/{upload_id}",
    summary="Give an upload up.",
    dependencies=[Resumable],
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS | {204: {"headers": _HEADERS}},
)
async def give_up(upload_id: Id, principal: Uploader, here: Here) -> Response:
    """What has arrived is removed; a file that has landed stays."""
    await run_sync(_end, here, upload_id, principal)
    return Response(status_code=204, headers=_TUS)


class _Checksum(NamedTuple):
    name: str
    expected: bytes


async def _stored(here: Serving, upload: Upload, offset: int, request: Request, checksum: _Checksum | None) -> int:
    """Store the body piece by piece as it arrives; returns where it ends."""
    piece = bytearray()
    most = MOST_CHECKED_BYTES if checksum else PIECE_BYTES
    try:
        async for chunk in request.stream():
            piece += chunk
            if offset + len(piece) > upload.length:
                raise HTTPException(400, f"expected {upload.length - offset:,} bytes at most, found more")
            if len(piece) >= most:
                if checksum:
                    raise HTTPException(413, f"expected a piece below {most:,} bytes, so that it can be checked")
                offset = await _keep(here, upload, offset, piece)
    except ClientDisconnect:
        if checksum:
            raise HTTPException(400, "the connection ended before the body did; its piece is not stored") from None
    if checksum and _HASHES[checksum.name](piece).digest() != checksum.expected:
        raise HTTPException(_CHECKSUM_MISMATCH, "these bytes are not what their checksum says; send them again")
    return await _keep(here, upload, offset, piece)


async def _keep(here: Serving, upload: Upload, offset: int, piece: bytearray) -> int:
    if not piece:
        return offset
    data = bytes(piece)
    piece.clear()
    try:
        await run_sync(uploads.add, here.store, upload.id, offset, data)
    except FileExistsError:  # an earlier request of this client goes on writing
        raise _out_of_place(offset, await run_sync(uploads.offset, here.store, upload)) from None
    return offset + len(data)


def _begin(here: Serving, new: Upload) -> None:
    with here.writing() as connection:
        uploads.begin(connection, new)
    if new.length == 0:
        _finish(here, new)


def _found(here: Serving, upload_id: UUID, principal: Principal) -> tuple[Upload, int]:
    """The upload and how much of it there is. One that a killed process left whole lands now."""
    with here.reading() as connection:
        upload = uploads.find(connection, upload_id, principal.name)
    if upload is None:
        raise HTTPException(404, f"there is no upload {upload_id}, or it has expired: begin another one")
    offset = uploads.offset(here.store, upload)
    if offset == upload.length and not upload.landed_at:
        _finish(here, upload)
    return upload, offset


def _finish(here: Serving, upload: Upload) -> None:
    with here.writing() as connection:
        uploads.finish(connection, here.store, upload, upload_landed)


def _end(here: Serving, upload_id: UUID, principal: Principal) -> None:
    with here.writing() as connection:
        if uploads.find(connection, upload_id, principal.name) is None:
            raise HTTPException(404, f"there is no upload {upload_id}, or it has expired")
        uploads.end(connection, here.store, upload_id)


def _checksum(header: str | None) -> _Checksum | None:
    if header is None:
        return None
    name, _, text = header.partition(" ")
    expected = decoded(text)
    if name not in _HASHES or expected is None:
        raise HTTPException(400, f"expected Upload-Checksum as `sha256 <base64>`, with one of {', '.join(_HASHES)}")
    return _Checksum(name, expected)


def _metadata(header: str) -> dict[str, str]:
    pairs = [pair.strip().partition(" ") for pair in header.split(",") if pair.strip()]
    return {key: base64.b64decode(value).decode("utf-8", "replace") for key, _, value in pairs}


def _out_of_place(found: int, expected: int) -> HTTPException:
    return HTTPException(409, f"expected Upload-Offset {expected}, found {found}", headers=_TUS)


def _date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)
