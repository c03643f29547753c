"""Messages in Confluent's frame: each is read by the schema that it names, whichever kind that is of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import polars as pl
import stamina

from lastmile.errors import Unreachable
from lastmile.streaming.messages.avro import AvroReader
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.framing import FRAME_BYTES, by_schema, unframed
from lastmile.streaming.messages.json_lines import JsonLines
from lastmile.streaming.messages.merging import NUMBER, placed
from lastmile.streaming.messages.protobuf import ProtobufReader
from lastmile.streaming.schemas.registry import Registry
from lastmile.streaming.schemas.resolving import avro_names, protobuf_files
from lastmile.streaming.schemas.schema import Invalid, Schema, Unknown, document

#: An unknown number is looked up again after so many batches: any producer may make up numbers.
_FORGOTTEN_AFTER = 100
#: How long a registry may be away before the stream gives up.
PATIENCE_SECONDS = 60.0


class Reader(Protocol):
    """Reads messages of one schema, without their frames."""

    def read(self, bodies: Sequence[bytes], first: int, found: list[pl.DataFrame], bad: list[tuple[int, str]]) -> None:
        """As AvroReader's."""


class Framed:
    """Decodes the messages of one stream by the schemas of a registry; `expected` are the types of the contract.

    A registry that cannot be reached is waited for, then it raises Unreachable; a number that it does not know makes
    poison of a message.
    """

    def __init__(
        self, registry: Callable[[], Registry], expected: Mapping[str, pl.DataType], patience: float = PATIENCE_SECONDS
    ) -> None:
        self._open, self._expected, self._patience = registry, expected, patience
        self._registry: Registry | None = None
        self._readers: dict[int, Reader] = {}
        self._unknown: dict[int, tuple[str, int]] = {}
        self._batches = 0

    def decode(self, messages: Messages) -> Decoded:
        """The events, and the messages that are none."""
        self._batches += 1
        found: list[pl.DataFrame] = []
        bad: list[tuple[int, str]] = []
        for schema, numbers in by_schema(messages.values).items():
            if schema is None:
                bad += [(number, unframed(messages.values[number])) for number in numbers]
                continue
            reader = self._reader(schema)
            if isinstance(reader, str):
                bad += [(number, reader) for number in numbers]
                continue
            bodies = [messages.values[number][FRAME_BYTES:] for number in numbers]  # type: ignore[index]  # has a frame
            self._read(reader, bodies, numbers, found, bad)
        return placed(messages, found, bad)

    def _read(
        self,
        reader: Reader,
        bodies: Sequence[bytes],
        numbers: Sequence[int],
        found: list[pl.DataFrame],
        bad: list[tuple[int, str]],
    ) -> None:
        frames: list[pl.DataFrame] = []
        faults: list[tuple[int, str]] = []
        reader.read(bodies, 0, frames, faults)
        own = pl.Series(NUMBER, numbers, pl.UInt32)
        is_all = len(numbers) == numbers[-1] + 1
        found += frames if is_all else [frame.with_columns(own[frame[NUMBER]].alias(NUMBER)) for frame in frames]
        bad += [(numbers[number], reason) for number, reason in faults]

    def _reader(self, number: int) -> Reader | str:
        """The reader of a schema, or why there is none."""
        if number in self._readers:
            return self._readers[number]
        reason, since = self._unknown.get(number, ("", -_FORGOTTEN_AFTER))
        if self._batches - since < _FORGOTTEN_AFTER:
            return reason
        if self._registry is None:
            self._registry = self._open()
        look_up = stamina.retry(on=Unreachable, timeout=self._patience, attempts=None)(self._registry.by_id)
        try:
            self._readers[number] = reader = self._made(self._registry, look_up(number))
        except (Unknown, Invalid) as error:
            self._unknown[number] = (f"its schema, number {number}, is not read: {error}", self._batches)
            return self._unknown[number][0]
        return reader

    def _made(self, registry: Registry, schema: Schema) -> Reader:
        if schema.kind == "AVRO":
            return AvroReader(document(schema), avro_names(registry, schema))
        if schema.kind == "PROTOBUF":
            return ProtobufReader(protobuf_files(registry, schema))
        return _Json(self._expected)


class _Json:
    """JSON in a frame: the contract says more than its schema, so only the frame is peculiar."""

    def __init__(self, expected: Mapping[str, pl.DataType]) -> None:
        self._lines = JsonLines(expected)

    def read(self, bodies: Sequence[bytes], first: int, found: list[pl.DataFrame], bad: list[tuple[int, str]]) -> None:
        numbers = range(first, first + len(bodies))
        decoded = self._lines.decode(Messages(bodies, [0] * len(bodies), numbers, [-1] * len(bodies)))
        own = decoded.frame.rename({"_offset": NUMBER}).drop("_partition", "_index", "_timestamp")
        if own.height:
            found.append(own.with_columns(pl.col(NUMBER).cast(pl.UInt32)))
        bad += decoded.poison.select("_offset", "reason").iter_rows()
