"""What a client says that the hash of its bytes is, and whether it is."""

import base64
import binascii
import re

from fastapi import HTTPException

_MEMBER = re.compile(r"\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/=]*):\s*")


def verify_sha256(header: str | None, found: bytes) -> None:
    """A `Content-Digest` or `Repr-Digest` (RFC 9530). Raises HTTPException (400)."""
    if header is None:
        return
    members = [_MEMBER.fullmatch(part) for part in header.split(",")]
    given = {member[1]: member[2] for member in members if member}
    if None in members or "sha-256" not in given:
        raise HTTPException(400, f"expected a digest such as sha-256=:{base64.b64encode(found).decode()}:, found none")
    if decoded(given["sha-256"]) != found:
        raise HTTPException(
            400,
            f"the bytes that arrived have the digest sha-256=:{base64.b64encode(found).decode()}:, not"
            f" :{given['sha-256'][:100]}:; nothing is stored, send them again",
        )


def decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
