"""Sending one file piece by piece (tus 1.0), going on where it stopped, also after the process was killed."""

import base64
from urllib.parse import quote, urljoin

import httpx

from lastmile.client.answers import RefusedForGood, Unreachable, request
from lastmile.client.outbox import File, Outbox

#: Of one request, held in memory. Of a request that breaks, what had arrived stays.
PIECE_BYTES = 1024 * 1024
_TUS = {"Tus-Resumable": "1.0.0"}
#: The API knows no such upload any more; or has another place for the next piece, unless it refuses that as well.
_GONE, _CONFLICT = (404, 410), 409


def upload(http: httpx.Client, outbox: Outbox, file: File) -> str:
    """Send what the API does not have yet; returns the job. Raises Unreachable or RefusedForGood."""
    length = file.copy.stat().st_size
    place, offset = _resumed(http, file, length) or (_begun(http, outbox, file, length), 0)
    with file.copy.open("rb") as content:
        while offset < length:
            content.seek(offset)
            offset = _sent(http, place, offset, content.read(PIECE_BYTES))
    return place.rstrip("/").rpartition("/")[2]


def _resumed(http: httpx.Client, file: File, length: int) -> tuple[str, int] | None:
    """Where the upload is and how much of it is there; None where it has to begin."""
    if file.upload is None:
        return None
    try:
        offset = _arrived(http, file.upload)
    except RefusedForGood:
        return None
    return (file.upload, offset) if offset <= length else None


def _begun(http: httpx.Client, outbox: Outbox, file: File, length: int) -> str:
    metadata = {"filename": file.name, "partition": file.partition}
    encoded = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in metadata.items() if text)
    headers = {**_TUS, "Upload-Length": str(length), "Upload-Metadata": encoded}
    answer = request(http, "POST", f"datasets/{quote(file.dataset, safe='')}/uploads", 201, headers=headers)
    if "location" not in answer.headers:
        raise Unreachable("expected the address of the upload, found none; another server answers there")
    place = urljoin(str(answer.request.url), answer.headers["location"])
    outbox.note_upload(file.item, place)
    return place


def _sent(http: httpx.Client, place: str, offset: int, piece: bytes) -> int:
    """How much is there after the piece."""
    headers = {**_TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    try:
        return _offset(request(http, "PATCH", place, 204, headers=headers, content=piece))
    except RefusedForGood as refused:
        if refused.problem.status in _GONE:
            raise Unreachable(refused.problem.detail) from None
        if refused.problem.status == _CONFLICT and (there := _arrived(http, place)) != offset:
            return there
        raise


def _arrived(http: httpx.Client, place: str) -> int:
    return _offset(request(http, "HEAD", place, 200, headers=_TUS))


def _offset(answer: httpx.Response) -> int:
    said = answer.headers.get("upload-offset", "")
    if not said.isdecimal():
        raise Unreachable("expected the header Upload-Offset, found none; another server answers there")
    return int(said)
