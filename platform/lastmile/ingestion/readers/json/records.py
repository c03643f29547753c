"""What JSON Lines and JSON documents share: one value of JSON as a record of texts, or why it is none.

Stricter than the standard library: no NaN or Infinity, no key twice in an object, no depth that could overflow a stack.
Numbers keep their digits, nested values become JSON text, null and a key that is not there are both null.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import BrokenRecord, CellFault, RawBatch, Refused
from lastmile.ingestion.readers.cells import Numeral, cell_text, kinds_of, numeral
from lastmile.ingestion.readers.header import named
from lastmile.ingestion.validation.header_match import fit

WHITESPACE = " \t\r\n"
_BETWEEN_BRACKETS = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")++', re.DOTALL)

Cells = dict[str, str | None]


class NotARecord(ValueError):
    """A value that is no record; the message says why."""


class Decoder:
    """Decodes one value at a time, remembering what the standard library would let pass."""

    def __init__(self) -> None:
        self._faults: list[str] = []
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object, parse_float=numeral, parse_int=Numeral, parse_constant=self._constant
        )

    def value(self, text: str, start: int = 0) -> tuple[Any, int, str | None]:
        """The value that starts there, where it ends, and what is wrong with it. Raises json.JSONDecodeError."""
        self._faults.clear()
        value, end = self._json.raw_decode(text, start)
        return value, end, next(iter(self._faults), None)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            self._faults.append(f"key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
        return found

    def _constant(self, name: str) -> None:
        self._faults.append(f"{name} is no value of JSON")


def plain_record(text: bytes) -> Cells | None:
    """The record of a text as most programs write one, at a third of the cost; None where it takes a closer look.

    What becomes the same text again when it is written has each key once and each number in its shortest form, so that
    nothing of it is lost on a fast decoder.
    """
    if _EXPONENT.search(text):  # which programs write in ways of their own
        return None
    try:
        value = orjson.loads(text)
        if orjson.dumps(value) != text and json.dumps(value, ensure_ascii=text.isascii()).encode() != text:
            return None
        return {key: item if type(item) is str else _TEXTS[type(item)](item) for key, item in value.items()}
    except (orjson.JSONDecodeError, AttributeError, KeyError):  # no JSON, no object, objects inside
        return None


_EXPONENT = re.compile(rb"\d[eE][-+\d]")
_TEXTS: dict[type, Callable[[Any], str | None]] = {
    type(None): lambda nothing: None,
    bool: lambda flag: "true" if flag else "false",
    int: str,
    float: repr,
}


def decode_record(decoder: Decoder, text: str, deepest: int) -> Cells:
    """The one record a text holds. Raises NotARecord."""
    if is_too_deep(text, deepest):
        raise NotARecord(f"expected objects and arrays at most {deepest} deep (limits.nesting), found deeper ones")
    start = len(text) - len(text.lstrip(WHITESPACE))
    try:
        value, end, fault = decoder.value(text, start)
    except json.JSONDecodeError as error:
        raise NotARecord(f"no JSON: {error.msg} at character {error.pos + 1}") from None
    if text[end:].strip(WHITESPACE):
        raise NotARecord(f"no JSON: more after the value at character {end + 1}")
    return cells(value, fault, text)


def is_too_deep(text: str, deepest: int) -> bool:
    if text.count("[") + text.count("{") <= deepest:
        return False
    brackets = np.frombuffer(_BETWEEN_BRACKETS.sub("", text).encode("utf-8", "replace"), np.uint8)
    steps = np.isin(brackets, (ord("["), ord("{"))).astype(np.int64) - np.isin(brackets, (ord("]"), ord("}")))
    return bool(len(steps) and steps.cumsum().max() > deepest)


def cells(value: Any, fault: str | None, source: str) -> Cells:
    """The record's texts by key. Raises NotARecord."""
    if fault is not None:
        raise NotARecord(fault)
    if not isinstance(value, dict):
        raise NotARecord(f"expected an object, found {type(value).__name__}")
    found = {key: item if type(item) is str else cell_text(item) for key, item in value.items()}
    if "\\u" in source and not _is_encodable("".join(text for pair in found.items() for text in pair if text)):
        raise NotARecord("half of a surrogate pair, which is no character, in a \\u escape")
    return found


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Form(NamedTuple):
    """What records are read as: columns, the key of each in the file, and the columns declared as texts by key."""

    header: list[str]
    keys: list[str]
    texts: dict[str, str]


def form_of(keys: Sequence[str], contract: Contract) -> Form:
    """Raises Refused where the keys do not fit the contract."""
    if not keys:
        return Form([], [], {})
    fit(contract, keys)
    header = named(keys, contract)
    kinds = kinds_of(header, contract)
    texts = {key: name for key, name in zip(keys, header, strict=True) if name in kinds and kinds[name].is_text}
    return Form(header, list(keys), texts)


def batch(
    form: Form,
    good: Sequence[tuple[int, Cells]],
    broken: Sequence[BrokenRecord],
    raw: Callable[[int], str],
    faults: Sequence[CellFault] = (),
) -> RawBatch:
    """Records as a batch; `good` has line and cells of each, `raw` gives the source of the one at a position of it."""
    frame = pl.DataFrame([record for _, record in good], schema=dict.fromkeys(form.keys, pl.String))
    lines = pl.Series("line", [line for line, _ in good], pl.UInt64)
    frame = frame.rename(dict(zip(form.keys, form.header, strict=True)))
    return RawBatch(frame, lines, lambda positions: [raw(position) for position in positions], broken, faults=faults)


def expect_no_columns(value: Any, contract: Contract) -> None:
    """Raises Refused for a table written column by column, as pandas does by default: no record is in it.

    One nested value by itself may be either, and is read as the record it is by its form.
    """
    inside = list(value.values()) if isinstance(value, dict) and len(value) > 1 else []
    kind = type(inside[0]) if inside and type(inside[0]) in (dict, list) and inside[0] else None
    if kind is None or not all(type(item) is kind for item in inside):
        return
    are_alike = len({tuple(item) if kind is dict else len(item) for item in inside}) == 1
    nested = ("JSON", "list of codes") if kind is list else ("JSON",)
    if are_alike and any(known.name not in nested for known in kinds_of(list(value), contract).values()):
        raise Refused(
            f"dataset {contract.name}: expected records, found columns: under {next(iter(value))!r} are the values of "
            f"{len(inside[0]):,} rows. Write one object per record, as pandas does with orient='records'."
        )


def lost_digits(line: int, record: Cells, texts: Mapping[str, str]) -> Iterator[CellFault]:
    """Faults of numbers in texts whose last digits may not be those that were meant; elsewhere their types tell."""
    for key, name in texts.items():
        value = record.get(key)
        if isinstance(value, Numeral) and value.may_have_lost_digits:
            yield CellFault(line, name, "digits", "all digits of the number; write it without an exponent", str(value))


def keys_of(records: Iterable[Iterable[str]], most: int) -> list[str]:
    """Every key in the order of its first appearance; no more records are looked at once there are over `most`."""
    found: dict[str, None] = {}
    for record in records:
        found.update(dict.fromkeys(record))
        if len(found) > most:
            break
    return list(found)
