"""One answer of an API: its records as they were sent, byte for byte, and what stands around them.

Numbers keep their digits because nothing is written anew: a record is a slice of the answer. Only line breaks between
its tokens become blanks, so that it is one line of JSON Lines; inside of a text of JSON there are none.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from lastmile.errors import UserError

_BLANK = re.compile(r"[ \t\r\n]*")
_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_float=Decimal)
#: Keys named in messages.
_SHOWN = 12


class NotWhole(Exception):
    """An answer that is no JSON from its first to its last byte: half a page, or none."""


class Record(NamedTuple):
    """`line` is its JSON as it was sent, on one line."""

    line: bytes
    value: Any


@dataclass
class Page:
    """The records of an answer, and the other values in it, as they lie in it."""

    records: list[Record] = field(default_factory=list)
    around: Any = None

    def at(self, path: str) -> Any:
        """The value at a path outside the records; None where there is none."""
        return at(self.around, path)


def at(value: Any, path: str) -> Any:
    """The value at a path such as `meta.next` within one of JSON; None where there is none."""
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def page_of(text: str, records: str) -> Page:
    """Raises NotWhole, or UserError where there is no array at the path `records` (empty: the answer is the array)."""
    page = Page()
    walk = _Walk(text, page.records)
    try:
        page.around = walk.to(records.split(".") if records else [], records)
        walk.expect_end()
    except json.JSONDecodeError as error:
        raise NotWhole(f"no whole JSON: {error.msg} at character {error.pos:,} of {len(text):,}") from None
    except RecursionError:
        raise UserError("its JSON is nested too deeply to be read") from None
    return page


@dataclass
class _Walk:
    """Goes through a text of JSON once, from the outside to the array at a path."""

    text: str
    found: list[Record]
    place: int = 0

    def to(self, path: Sequence[str], whole: str) -> Any:
        """The value that starts here, without the records. Raises UserError where the path leads to no array."""
        start = self._peek()
        if not path and start == "[":
            self._array()
            return None
        if path and start == "{":
            return self._object(path, whole)
        value = self._value()
        if not path and value is None:
            return None
        raise UserError(
            f"expected an array of records {f'at {whole!r}' if whole else 'as the answer'}, found {_kind(value)};"
            " say where they are in `records`"
        )

    def expect_end(self) -> None:
        if self._peek():
            raise json.JSONDecodeError("more after the value", self.text, self.place)

    def _object(self, path: Sequence[str], whole: str) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self._take("{")
        while self._peek() != "}":
            if members:
                self._take(",")
            key = str(self._value())
            self._take(":")
            members[key] = self.to(path[1:], whole) if key == path[0] else self._value()
        self._take("}")
        if path[0] not in members:
            keys = ", ".join(list(members)[:_SHOWN]) or "no keys"
            raise UserError(f"expected records at {whole!r}, found {keys} without {path[0]!r}; correct `records`")
        return members

    def _array(self) -> None:
        self._take("[")
        is_first = True
        while self._peek() != "]":
            if not is_first:
                self._take(",")
            self._peek()
            is_first, start = False, self.place
            value = self._value()
            line = _BREAK.sub(" ", self.text[start : self.place]).encode("utf-8", "replace")
            self.found.append(Record(line, value))
        self._take("]")

    def _value(self) -> Any:
        self._peek()
        value, self.place = _DECODER.raw_decode(self.text, self.place)
        return value

    def _peek(self) -> str:
        if blank := _BLANK.match(self.text, self.place):
            self.place = blank.end()
        return self.text[self.place : self.place + 1]

    def _take(self, expected: str) -> None:
        if self._peek() != expected:
            raise json.JSONDecodeError(f"expected {expected}", self.text, self.place)
        self.place += 1


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(list(value)[:_SHOWN]) or 'no keys'}"
    return f"{json.dumps(value, default=str)[:80]}"
