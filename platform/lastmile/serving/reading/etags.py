"""Answers that say by an ETag what they are, so that who has one already is sent nothing again."""

import hashlib
from typing import Any

from fastapi import Request, Response
from pydantic import TypeAdapter

#: For the `responses` of an endpoint that answers so.
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "As it was when its ETag was sent (If-None-Match)."}}


def tagged(request: Request, content: Any, kind: Any) -> Response:
    """`content`, of that type, as JSON; 304 where the request has its ETag."""
    body = TypeAdapter(kind).dump_json(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _tags(header: str) -> list[str]:
    return [one.strip().removeprefix("W/") for one in header.split(",")]
