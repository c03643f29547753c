"""Messages of one JSON object each to events, most of them at once.

Joined as lines they are parsed by polars into the types that the contract expects, which fails where one does not have
them. Keys that the contract does not know cannot be seen so: whether there are any is found by counting. Wherever that
leaves a doubt the messages are looked at in parts, and in the end one by one, as the intake reads JSON: every value as
text that loses nothing. So what is odd costs itself.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import orjson
import polars as pl

from lastmile.ingestion.readers.json.records import Cells, Decoder, NotARecord, decode_record, plain_record
from lastmile.streaming.messages.batch import POISON, Decoded, Messages

#: Below so many, messages are read one by one; more are looked at in so many parts.
_FEW, _PARTS = 32, 8
#: Brackets inside each other, and keys that are remembered in addition to the contract's.
_DEEPEST, _MOST_KEYS = 64, 500


class JsonLines:
    """Decodes messages of one stream; `expected` are the types of the contract's columns."""

    def __init__(self, expected: Mapping[str, pl.DataType]) -> None:
        native = (pl.Int64, pl.Float64, pl.Boolean)
        self._types = {name: dtype if dtype in native else pl.String() for name, dtype in expected.items()}
        self._decoder = Decoder()

    def decode(self, messages: Messages) -> Decoded:
        """The events, and the messages that are no JSON objects."""
        found: list[pl.DataFrame] = []
        poison: list[tuple[int, str]] = []
        self._decode(messages.values, 0, found, poison)
        rotten = {number for number, _ in poison}
        good = [number for number in range(len(messages)) if number not in rotten] if rotten else None
        found = found or [pl.DataFrame(schema=self._types)]
        events = found[0] if len(found) == 1 else pl.concat(alike(found), how="diagonal")
        return Decoded(pl.concat([events, places(messages, good)], how="horizontal"), poisoned(messages, poison))

    def _decode(
        self,
        values: Sequence[bytes | None],
        first: int,
        found: list[pl.DataFrame],
        poison: list[tuple[int, str]],
    ) -> None:
        if len(values) <= _FEW:
            self._one_by_one(values, first, found, poison)
            return
        whole = self._together(values)
        if whole is not None:
            found.append(whole)
            return
        size = max(_FEW, -(-len(values) // _PARTS))
        for start in range(0, len(values), size):
            self._decode(values[start : start + size], first + start, found, poison)

    def _together(self, values: Sequence[bytes | None]) -> pl.DataFrame | None:
        """All of them as one frame; None where any is no plain object, or has a key that is not known."""
        if None in (values[0], values[-1]):
            return None
        try:
            text = b"\n".join(values)  # type: ignore[arg-type]  # None raises
        except TypeError:
            return None
        if text.count(b"\n") != len(values) - 1:
            return None
        typed = _parsed(text, self._types)
        if typed is None or typed.height != len(values):
            return None
        if _has_only(text, typed):
            return typed
        if not self._learn(values[0]) | self._learn(values[-1]):
            return None
        typed = _parsed(text, self._types)
        return typed if typed is not None and _has_only(text, typed) else None

    def _learn(self, value: bytes | None) -> bool:
        """Whether the object has keys that were not known, all of them with plain values; they are from now on."""
        try:
            read = orjson.loads(value or b"")
        except orjson.JSONDecodeError:
            return False
        if not isinstance(read, dict) or any(isinstance(item, dict | list) for item in read.values()):
            return False
        new = {name: pl.String() for name in read if name not in self._types}
        if len(self._types) + len(new) > _MOST_KEYS:
            return False
        self._types |= new
        return bool(new)

    def _one_by_one(
        self, values: Sequence[bytes | None], first: int, found: list[pl.DataFrame], poison: list[tuple[int, str]]
    ) -> None:
        events = []
        for number, value in enumerate(values, first):
            try:
                events.append(self._object(value))
            except NotARecord as error:
                poison.append((number, str(error)))
        names = dict.fromkeys(name for event in events for name in event)
        if not names and events:  # a frame without columns has no rows
            names = {next(iter(self._types), "value"): None}
        if events:
            found.append(pl.DataFrame(events, schema=dict.fromkeys(names, pl.String)))

    def _object(self, value: bytes | None) -> Cells:
        if value is None:
            raise NotARecord("expected a JSON object; the message has no value")
        plain = plain_record(value)
        if plain is not None:
            return plain
        try:
            text = value.decode()
        except UnicodeDecodeError as error:
            raise NotARecord(f"expected JSON in UTF-8: {error}") from None
        return decode_record(self._decoder, text, _DEEPEST)


def places(messages: Messages, numbers: Sequence[int] | None = None) -> pl.DataFrame:
    """Where the events of messages with one event each are; of these messages, or of all."""
    some = messages if numbers is None else messages.part(numbers)
    return pl.DataFrame(
        {"_partition": some.partitions, "_offset": some.offsets, "_timestamp": some.timestamps},
        schema={"_partition": pl.Int32, "_offset": pl.Int64, "_timestamp": pl.Int64},
    ).select(
        "_partition",
        "_offset",
        pl.lit(0, pl.Int32).alias("_index"),
        pl.when(pl.col("_timestamp") >= 0)
        .then(pl.col("_timestamp") * 1_000)
        .cast(pl.Datetime("us", "UTC"))
        .alias("_timestamp"),
    )


def poisoned(messages: Messages, poison: Sequence[tuple[int, str]]) -> pl.DataFrame:
    """The messages of these numbers, with why they are no events."""
    rows = [
        (messages.partitions[number], messages.offsets[number], messages.key(number), messages.values[number], reason)
        for number, reason in poison
    ]
    return pl.DataFrame(rows, schema=POISON, orient="row")


def _parsed(text: bytes, types: Mapping[str, pl.DataType]) -> pl.DataFrame | None:
    try:
        return pl.read_ndjson(io.BytesIO(text), schema=dict(types))
    except (pl.exceptions.PolarsError, ValueError):
        return None


def _has_only(text: bytes, typed: pl.DataFrame) -> bool:
    """Whether the objects have no keys but these: as many keys, as many values or nulls."""
    read = np.frombuffer(text, np.uint8)
    colons = np.flatnonzero(read == ord(":"))
    keys = np.count_nonzero(read[colons - 1] == ord('"'))
    absent = sum(typed.null_count().row(0)) - text.count(b"null")
    return bool(keys == typed.height * typed.width - absent)


def alike(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """The frames with columns of different types in them as text."""
    from lastmile.streaming.validation import as_texts

    types: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            types.setdefault(name, set()).add(dtype)
    return list(frames) if all(len(one) == 1 for one in types.values()) else [as_texts(one) for one in frames]
