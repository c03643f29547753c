"""Changes that Debezium reads from a database and puts into a topic, applied as those that are read from its log here.

An envelope may come again, since Debezium itself sends at least once: of each row the position of its last change is
kept, deleted or not, and what is not after it is left out. Where an envelope has no position in a log (that of a
MySQL), its offset is one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from psycopg import Connection

from lastmile.contracts import Contract
from lastmile.ingestion.readers.cells import cell_text
from lastmile.sources.changes.apply import Applied, Target, apply
from lastmile.sources.changes.change import Change, Image, Op
from lastmile.sources.changes.pgoutput import UNCHANGED, Value

#: Bits of a number that the partition of a message has; the others are its offset.
_PARTITION_BITS = 12


class Envelope(Protocol):
    """What a message says: see `lastmile.streaming.messages.debezium`."""

    @property
    def op(self) -> Op: ...
    @property
    def key(self) -> Mapping[str, Any] | None: ...
    @property
    def before(self) -> Mapping[str, Any] | None: ...
    @property
    def after(self) -> Mapping[str, Any] | None: ...
    @property
    def lsn(self) -> int | None: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def transaction(self) -> str | None: ...
    @property
    def place(self) -> tuple[int, int]: ...
    @property
    def unsent(self) -> frozenset[str]: ...


@dataclass
class Envelopes:
    """Applies those of one stream. The tables `changes.<name>` and its history are made where they are not there."""

    name: str
    contract: Contract
    topic: str
    _targets: dict[tuple[str, ...], Target] = field(default_factory=dict)

    def prepare(self, connection: Connection) -> None:
        """Make the tables. Raises UserError where what is there is of other types."""
        self._target(tuple(self.contract.columns)).tables.ensure(connection)

    def apply(self, connection: Connection, envelopes: Sequence[Envelope]) -> Applied:
        """In the order of their messages, within the transaction of the caller's that commits their offsets.

        Raises Refused where the columns do not fit the contract.
        """
        done = Applied()
        for header, some in self._by_columns(envelopes):
            if header not in self._targets:
                self._target(header).tables.ensure(connection)
            target = self._target(header)
            done += apply(connection, target, [_change(one, target) for one in some], snapshot=0, guarded=True)
        return done

    def _by_columns(self, envelopes: Sequence[Envelope]) -> Iterator[tuple[tuple[str, ...], list[Envelope]]]:
        """Runs of envelopes whose rows have the same columns; one without a row belongs to any."""
        header: tuple[str, ...] | None = None
        some: list[Envelope] = []
        for one in envelopes:
            columns = None if one.after is None else (*one.after, *sorted(one.unsent))
            if header is not None and columns is not None and columns != header:
                yield header, some
                some = []
            header = columns or header
            some.append(one)
        if some:
            yield header or tuple(self.contract.columns), some

    def _target(self, header: tuple[str, ...]) -> Target:
        if header not in self._targets:
            self._targets[header] = Target.of(self.name, self.contract, header, self.topic)
        return self._targets[header]


def _change(envelope: Envelope, target: Target) -> Change:
    partition, offset = envelope.place
    before = _image(envelope.before) or _image(envelope.key)
    after = None if envelope.after is None else _image(envelope.after, envelope.unsent)
    if before is not None and not all(name in before for name in target.key):
        before = None
    return Change(
        envelope.op,
        before,
        after,
        offset if envelope.lsn is None else envelope.lsn,
        offset << _PARTITION_BITS | partition,
        envelope.at,
        int(envelope.transaction) if envelope.transaction and envelope.transaction.isdecimal() else None,
        (partition, offset, 0),
    )


def _image(row: Mapping[str, Any] | None, unsent: frozenset[str] = frozenset()) -> Image | None:
    if row is None:
        return None
    texts: dict[str, Value] = {name: _text(value) for name, value in row.items()}
    return texts | dict.fromkeys(unsent, UNCHANGED)


def _text(value: Any) -> str | None:
    """As the database would write it; bytes that are no text as Postgres writes them."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return cell_text(value)
