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
from fastapi import APIRouter, Header, HTTPException, Path, Request, Response
from starlette.requests import ClientDisconnect

from lastmile.access.principal import Principal
from lastmile.errors import UserError
from lastmile.ingestion.submissions import uploads
from lastmile.ingestion.submissions.uploads import Upload
from lastmile.serving.door.permission import may, open_to_all
from lastmile.serving.intake import Name, PartitionKey, dataset_of, partition_of, upload_landed
from lastmile.serving.schemas import Problem
from lastmile.serving.state import Here, Serving
from lastmile.serving.uploads.digests import decoded
from lastmile.serving.uploads.landing import key_of
from lastmile.serving.uploads.spool import too_large

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

Uploader = Annotated[Principal, may("upload")]
Id = Annotated[UUID, Path(description="the upload; its job has the same id once the file has landed")]
Bytes = Annotated[int, Header(ge=0, lt=2**63)]
Resumable = Annotated[str | None, Header(max_length=20, pattern=r"^[\x20-\x7e]*$", description=VERSION)]
_HEADERS: dict[str, Any] = {"Tus-Resumable": {"schema": {"type": "string"}}}
_OFFSET = _HEADERS | {"Upload-Offset": {"schema": {"type": "integer"}, "description": "bytes that are stored"}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "No such upload, or it has expired"},
    412: {"model": Problem, "description": "Another version of tus"},
}


@router.options("/datasets/{name}/uploads", summary="What of tus there is.", status_code=204)
@open_to_all
async def capabilities(name: Name) -> Response:  # noqa: ARG001
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,expiration,checksum,termination",
        "Tus-Checksum-Algorithm": ",".join(_HASHES),
    }
    return Response(status_code=204, headers=_TUS | headers)


@router.post(
    "/datasets/{name}/uploads",
    summary="Begin a file that arrives piece by piece.",
    status_code=201,
    response_class=Response,
    responses=_PROBLEMS
    | {
        201: {"headers": _HEADERS | {"Location": {"schema": {"type": "string"}}}},
        413: {"model": Problem, "description": "Larger than the dataset's files may be"},
    },
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
            pattern=r"^[\x20-\x7e]*$",
            description="pairs of a key and a value in base64: `filename`, and perhaps `partition`",
        ),
    ] = "",
    tus_resumable: Resumable = None,
) -> Response:
    """PATCH the file to its Location; when it is whole it lands, and its job has the id of the upload."""
    _expect_version(tus_resumable)
    dataset = await dataset_of(here, principal, name)
    if upload_length > dataset.most_bytes:
        raise too_large(dataset.most_bytes)
    given, upload_id = _metadata(upload_metadata), uuid4()
    where = partition_of(dataset, partition or given.get("partition"))
    file_name = given.get("filename", "").replace("\\", "/").rsplit("/", 1)[-1]
    key = key_of(name, where, f"{upload_id}-{file_name}".strip("-"))
    ends = datetime.now(UTC) + timedelta(days=uploads.DAYS)
    new = Upload(upload_id, name, where, key, principal.name, upload_length, upload_metadata, ends, None)
    await run_sync(_begin, here, new)
    return Response(
        status_code=201, headers=_TUS | {"Location": f"/api/v1/uploads/{upload_id}", "Upload-Expires": _date(ends)}
    )


@router.head(
    "/uploads/{upload_id}",
    summary="How much of it has arrived.",
    response_class=Response,
    responses=_PROBLEMS | {200: {"headers": _OFFSET}},
)
async def arrived(upload_id: Id, principal: Uploader, here: Here, tus_resumable: Resumable = None) -> Response:
    """The place to go on from."""
    _expect_version(tus_resumable)
    upload, offset = await run_sync(_found, here, upload_id, principal)
    headers = {"Upload-Offset": str(offset), "Upload-Length": str(upload.length)}
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(headers=_TUS | headers | {"Cache-Control": "no-store", "Upload-Expires": _date(upload.expires_at)})


@router.patch(
    "/uploads/{upload_id}",
    summary="The next piece of it.",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS
    | {
        204: {"headers": _OFFSET},
        400: {"model": Problem, "description": "Longer than it was said to be, or a checksum of no known kind"},
        409: {"model": Problem, "description": "Not the place to go on from: HEAD says which is"},
        413: {"model": Problem, "description": "Too large a piece to be checked"},
        415: {"model": Problem, "description": "Not application/offset+octet-stream"},
        460: {"model": Problem, "description": "Other bytes than their checksum says; none is stored"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add(
    upload_id: Id,
    request: Request,
    principal: Uploader,
    here: Here,
    upload_offset: Bytes,
    upload_checksum: Annotated[
        str | None, Header(max_length=200, pattern=r"^[\x20-\x7e]*$", description="such as `sha256 <base64>`")
    ] = None,
    tus_resumable: Resumable = None,
) -> Response:
    """All bytes that arrive are kept, also where the connection ends before the body does; with a checksum, only where
    it is right."""
    _expect_version(tus_resumable)
    if request.headers.get("content-type") != "application/offset+octet-stream":
        raise HTTPException(415, "expected Content-Type application/offset+octet-stream")
    checksum = _checksum(upload_checksum)
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
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS | {204: {"headers": _HEADERS}},
)
async def give_up(upload_id: Id, principal: Uploader, here: Here, tus_resumable: Resumable = None) -> Response:
    """What has arrived is removed; a file that has landed stays."""
    _expect_version(tus_resumable)
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


def _expect_version(found: str | None) -> None:
    if found not in (None, VERSION):
        raise HTTPException(412, f"expected Tus-Resumable {VERSION}", headers={"Tus-Version": VERSION})


def _checksum(header: str | None) -> _Checksum | None:
    if header is None:
        return None
    name, _, text = header.partition(" ")
    expected = decoded(text)
    if name not in _HASHES or expected is None:
        raise HTTPException(400, f"expected Upload-Checksum as `sha256 <base64>`, with one of {', '.join(_HASHES)}")
    return _Checksum(name, expected)


def _metadata(header: str) -> dict[str, str]:
    """Raises UserError where it is none."""
    pairs = [pair.strip().partition(" ") for pair in header.split(",") if pair.strip()]
    try:
        return {key: base64.b64decode(value, validate=True).decode() for key, _, value in pairs}
    except ValueError:
        raise UserError(
            "expected Upload-Metadata as pairs of a key and a text in base64, separated by commas"
        ) from None


def _out_of_place(found: int, expected: int) -> HTTPException:
    return HTTPException(409, f"expected Upload-Offset {expected}, found {found}", headers=_TUS)


def _date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)
