"""What a Parquet file states of its row groups, read from its footer without pyarrow.

pyarrow's own view of a column chunk ends the whole process where the footer is damaged in some ways, such as a
histogram of the wrong length: the exception comes out of C++ where none may. The layout is `parquet.thrift` of
apache/parquet-format in Thrift's compact protocol.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BYTE_ARRAY = 6
#: Encodings by number: numbers into a dictionary (of both versions); texts as what differs from the one before.
DICTIONARY, DELTA_BYTE_ARRAY = {2, 8}, 7
#: Types of the compact protocol.
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_DEEPEST = 64

Struct = dict[int, Any]


@dataclass(frozen=True)
class Chunk:
    """A column of a row group. `path` joins the names of columns inside each other by points; bytes are unpacked."""

    path: str
    physical_type: int
    encodings: frozenset[int]
    values: int
    total_bytes: int


@dataclass(frozen=True)
class Group:
    rows: int
    total_bytes: int
    chunks: list[Chunk] = field(repr=False)


def row_groups(path: Path) -> list[Group]:
    """The file's row groups. Raises ValueError where its footer cannot be read, or states a number below zero."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        size = int.from_bytes(file.read(4), "little")
        file.seek(-8 - size, 2)
        footer = _Compact(file.read(size))
    try:
        return [_group(group) for group in footer.struct().get(4, ())]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its footer cannot be read: {error!r}") from error


def _group(group: Struct) -> Group:
    return Group(_count(group, 3), _count(group, 2), [_chunk(chunk[3]) for chunk in group[1]])


def _chunk(stated: Struct) -> Chunk:
    path = ".".join(name.decode(errors="replace") for name in stated[3])
    return Chunk(path, stated[1], frozenset(stated[2]), _count(stated, 5), _count(stated, 6))


def _count(struct: Struct, number: int) -> int:
    value = int(struct[number])
    if value < 0:
        raise ValueError(f"it states {value:,} rows, values or bytes")
    return value


class _Compact:
    """Reads values of Thrift's compact protocol one after another; structs by the numbers of their fields."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._depth = data, 0, 0

    def struct(self) -> Struct:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("its footer nests too deep")
        found = dict(self._fields())
        self._depth -= 1
        return found

    def _fields(self) -> Iterator[tuple[int, Any]]:
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            yield number, kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind)

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind < _DOUBLE:
            return self._integer()
        if kind in (_DOUBLE, _BINARY):
            return self._bytes(8 if kind == _DOUBLE else self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            return [self._value(head & 15) for _ in range(head >> 4 if head >> 4 < 15 else self._varint())]
        if kind == _STRUCT:
            return self.struct()
        raise ValueError(f"its footer has a value of the unknown type {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, length: int) -> bytes:
        self._at += length
        if self._at > len(self._data):
            raise IndexError("it ends early")
        return self._data[self._at - length : self._at]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("its footer has a number of more than 64 bits")

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
