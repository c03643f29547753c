"""JSON as forms send it: every number as its text, since a row is read from text and Kobo writes numbers so anyway."""

import json
from typing import Any

from lastmile.errors import Malformed

MOST_DEPTH = 64


def decoded(body: bytes) -> Any:
    """Raises Malformed for what is no JSON."""
    try:
        found = _DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Malformed(f"expected JSON in UTF-8; {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"expected JSON; {reason}") from None
    if _depth(found) > MOST_DEPTH:
        raise Malformed(f"expected at most {MOST_DEPTH} objects and arrays in one another, found more")
    return found


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        deepest = max(deepest, depth)
        waiting += [(other, depth + 1) for other in inside]
    return deepest


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_constant)
