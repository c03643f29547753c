"""What passes between the broker, the codecs and the consumer: messages by column, and the events decoded from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

#: A message that is no event: where it is, its bytes, and why in a sentence.
POISON = {
    "_partition": pl.Int32(),
    "_offset": pl.Int64(),
    "key": pl.Binary(),
    "raw": pl.Binary(),
    "reason": pl.String(),
}

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Messages:
    """Messages of one topic by column, each partition's in the order of their offsets.

    `timestamps` are milliseconds since 1970, -1 where there is none. `headers` and `keys` are empty where no message
    has any.
    """

    values: Sequence[bytes | None]
    partitions: Sequence[int]
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None] = ()
    headers: Sequence[Headers | None] = ()

    def __len__(self) -> int:
        return len(self.values)

    def key(self, number: int) -> bytes | None:
        return self.keys[number] if self.keys else None

    def part(self, numbers: Sequence[int]) -> "Messages":
        """Some of them."""
        columns = (self.values, self.partitions, self.offsets, self.timestamps, self.keys, self.headers)
        return Messages(*([column[number] for number in numbers] if column else () for column in columns))  # type: ignore[arg-type]  # each of its own kind


@dataclass(frozen=True)
class Decoded:
    """`frame` has the events' own columns, of whatever types the messages have, and `PLACE` of the declarations: each
    partition's in the order of offset and index. `poison` has the columns of POISON."""

    frame: pl.DataFrame
    poison: pl.DataFrame
