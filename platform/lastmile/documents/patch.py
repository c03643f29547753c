"""JSON merge patch (RFC 7396), and what a document may be."""

import json
from collections.abc import Mapping
from typing import Any

from lastmile.errors import UserError

MOST_BYTES = 2**20
MOST_LEVELS = 32


def merged(target: Any, patch: Any) -> Any:
    """The target with the patch's members in place of its own; null removes one."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises UserError where the document is too large or too deep, or holds what Postgres cannot."""
    _check_levels(body)
    try:
        size = len(canonical(body))
    except ValueError:  # not of JSON, yet read by Python's parser
        raise UserError("expected numbers of JSON, found NaN or Infinity; send null") from None
    if size > MOST_BYTES:
        raise UserError(
            f"expected a document of at most {MOST_BYTES:,} bytes, found {size:,}; split it, or send a file"
        )
    return body


def _check_levels(body: Mapping[str, Any]) -> None:
    level: list[Any] = [body]
    for _ in range(MOST_LEVELS):
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return
    raise UserError(f"expected a document of at most {MOST_LEVELS} levels; flatten it")


def canonical(body: Any) -> bytes:
    """The same for the same content. Raises ValueError where a number is none."""
    return json.dumps(body, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def _within(value: Any) -> list[Any]:
    texts = [*value, *value.values()] if isinstance(value, Mapping) else [value]
    for text in texts:
        if isinstance(text, str) and ("\0" in text or not _is_unicode(text)):
            raise UserError("expected text of Unicode without U+0000, which Postgres cannot hold")
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
