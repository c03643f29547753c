"""The body of a request to records: each an object, with the client's own id and revision, if it has them.

A number keeps the digits it was sent with, since a row is read from text: `0.10` stays `0.10`, and no whole number is
too long. What JSON does not have (NaN, a key twice, half a surrogate) is refused, with the record's place.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from lastmile.errors import Malformed

#: Fields of a record that are about it and no columns of its row.
ID, REVISION = "_id", "_revision"
MOST_RECORDS = 10_000
MOST_ID_CHARACTERS = 256
#: Nanoseconds since 1970 are below it, until 2116.
MOST_REVISION = 2**62


class Parsed(NamedTuple):
    """A record of a request; `canonical` is equal for equal content."""

    record: str | None
    revision: int | None
    body: str
    canonical: bytes


def parse(body: bytes, is_lines: bool) -> list[Parsed]:
    """The records of one JSON object, an array of objects, or lines of objects. Raises Malformed."""
    found = [_record(place, value) for place, value in enumerate(_values(body, is_lines), 1)]
    if not 1 <= len(found) <= MOST_RECORDS:
        raise Malformed(
            f"expected 1 to {MOST_RECORDS:,} records, found {len(found):,}; send them in several requests, or as a file"
        )
    return found


def keys(body: str) -> Sequence[str]:
    """The fields of a row as kept."""
    return list(orjson.loads(body))


def _values(body: bytes, is_lines: bool) -> Iterator[Any]:
    if is_lines:
        lines = (line for line in body.split(b"\n") if line.strip())
        yield from (_decoded(line, f"record {place}") for place, line in enumerate(lines, 1))
        return
    value = _decoded(body, "the body")
    yield from value if isinstance(value, list) else [value]


def _decoded(text: bytes, what: str) -> Any:
    try:
        return _DECODER.decode(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Malformed(f"{what}: expected UTF-8; {error.reason} at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"{what}: expected JSON: an object, an array of objects, or one a line; {reason}") from None


def _record(place: int, value: Any) -> Parsed:
    if not isinstance(value, dict):
        raise Malformed(f"record {place}: expected an object, found {_shown(value)}")
    record, revision = value.pop(ID, None), value.pop(REVISION, None)
    try:
        body = orjson.dumps(value)
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # half a surrogate, or nested too deeply
        raise Malformed(f"record {place}: expected JSON that can be stored; {error}") from None
    return Parsed(_id(place, record), _revision(place, revision), body.decode(), canonical)


def _id(place: int, found: Any) -> str | None:
    if found is None:
        return None
    text = found if isinstance(found, str) else _digits(found) if isinstance(found, _Number) else ""
    if not 1 <= len(text) <= MOST_ID_CHARACTERS or not text.isprintable():
        raise Malformed(
            f"record {place}: expected in {ID} a text of 1 to {MOST_ID_CHARACTERS} printable characters, such as a"
            f" UUID; found {_shown(found)}"
        )
    return text


def _revision(place: int, found: Any) -> int | None:
    if found is None:
        return None
    digits = _digits(found)[:22].removesuffix(".0") if isinstance(found, _Number) else ""
    if not digits.isdecimal() or int(digits) > MOST_REVISION:
        raise Malformed(f"record {place}: expected in {REVISION} a whole number from 0 on, found {_shown(found)}")
    return int(digits)


_Number = orjson.Fragment


def _shown(value: Any) -> str:
    return _digits(value)[:100] if isinstance(value, _Number) else f"{value!r:.100}"


def _digits(number: orjson.Fragment) -> str:
    return orjson.dumps(number).decode()


def _number(text: str) -> orjson.Fragment:
    return _Number(text.encode())


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:100]!r} is there twice")
    return found


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=_object)
