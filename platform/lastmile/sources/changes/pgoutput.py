"""The messages of pgoutput, the plugin of logical replication that every Postgres has (protocol version 1).

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_LENGTH, _COUNT, _COLUMN = struct.Struct(">I"), struct.Struct(">H"), struct.Struct(">Ii")
_BEGIN, _COMMIT, _TRUNCATE = struct.Struct(">QqI"), struct.Struct(">BQQq"), struct.Struct(">IB")
_NULL, _UNCHANGED, _TEXT = b"nut"


class Unchanged(Enum):
    """The value of a column that Postgres keeps apart from its row (TOAST) and that an update left as it was."""

    VALUE = "unchanged"


UNCHANGED: Final = Unchanged.VALUE
Value = str | None | Unchanged
Row = Sequence[Value]


@dataclass(frozen=True, slots=True)
class Begin:
    """`lsn` is where the record of its commit begins."""

    lsn: int
    at: datetime
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """`end` is behind the record of the commit: where to go on."""

    lsn: int
    end: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    is_key: bool
    type: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, described before its first change and again after it was altered. `identity` is what is sent of a row
    before its change: `d` its primary key, `f` all of it, `i` the columns of an index, `n` nothing."""

    id: int
    schema: str
    table: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Insert:
    relation: int
    new: Row


@dataclass(frozen=True, slots=True)
class Update:
    """`old` is the row before, of which only the key is there where `is_key`; None where the key is the same."""

    relation: int
    old: Row | None
    is_key: bool
    new: Row


@dataclass(frozen=True, slots=True)
class Delete:
    relation: int
    old: Row
    is_key: bool


@dataclass(frozen=True, slots=True)
class Truncate:
    relations: tuple[int, ...]


Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate


def message(data: bytes) -> Message | None:
    """What the bytes say; None of what needs no answer (types, origins, messages of applications).

    Raises ValueError where they say nothing that is known.
    """
    kind = data[:1]
    if kind == b"I":
        (relation,) = _LENGTH.unpack_from(data, 1)
        return Insert(relation, _row(data, 6)[0])
    if kind == b"U":
        return _update(data)
    if kind == b"D":
        (relation,) = _LENGTH.unpack_from(data, 1)
        return Delete(relation, _row(data, 6)[0], data[5:6] == b"K")
    if kind == b"B":
        lsn, at, xid = _BEGIN.unpack_from(data, 1)
        return Begin(lsn, _moment(at), xid)
    if kind == b"C":
        _, lsn, end, at = _COMMIT.unpack_from(data, 1)
        return Commit(lsn, end, _moment(at))
    if kind == b"R":
        return _relation(data)
    if kind == b"T":
        count, _ = _TRUNCATE.unpack_from(data, 1)
        return Truncate(struct.unpack_from(f">{count}I", data, 1 + _TRUNCATE.size))
    if kind in (b"O", b"Y", b"M"):
        return None
    raise ValueError(f"pgoutput: expected a message of protocol version 1, found one that begins with {data[:8]!r}")


def _update(data: bytes) -> Update:
    (relation,) = _LENGTH.unpack_from(data, 1)
    kind, place = data[5:6], 6
    old: Row | None = None
    if kind != b"N":
        old, place = _row(data, place)
        place += 1  # the N before the new row
    return Update(relation, old, kind == b"K", _row(data, place)[0])


def _row(data: bytes, place: int) -> tuple[list[Value], int]:
    (count,) = _COUNT.unpack_from(data, place)
    place += 2
    values: list[Value] = []
    for _ in range(count):
        kind = data[place]
        place += 1
        if kind == _TEXT:
            (length,) = _LENGTH.unpack_from(data, place)
            place += 4
            values.append(data[place : place + length].decode())
            place += length
        elif kind == _NULL:
            values.append(None)
        elif kind == _UNCHANGED:
            values.append(UNCHANGED)
        else:
            raise ValueError(f"pgoutput: expected a value as text, found one of kind {chr(kind)!r}")
    return values, place


def _relation(data: bytes) -> Relation:
    (relation,) = _LENGTH.unpack_from(data, 1)
    schema, place = _text(data, 5)
    table, place = _text(data, place)
    identity = chr(data[place])
    (count,) = _COUNT.unpack_from(data, place + 1)
    place += 3
    columns = []
    for _ in range(count):
        name, after = _text(data, place + 1)
        kind, _ = _COLUMN.unpack_from(data, after)
        columns.append(Column(name, bool(data[place] & 1), kind))
        place = after + _COLUMN.size
    return Relation(relation, schema or "pg_catalog", table, identity, tuple(columns))


def _text(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(b"\0", place)
    return data[place:end].decode(), end + 1


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
