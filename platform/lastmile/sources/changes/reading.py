"""From the messages of the log to changes of rows under the names of their columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from psycopg import Connection

from lastmile.contracts import Contract
from lastmile.sources.changes.apply import Target
from lastmile.sources.changes.change import Change, Image, Op
from lastmile.sources.changes.origin import SourceColumn, columns, described
from lastmile.sources.changes.pgoutput import (
    Begin,
    Delete,
    Insert,
    Message,
    Relation,
    Row,
    Truncate,
    Update,
)
from lastmile.sources.changes.texts import Convert, conversions, converted
from lastmile.sources.declarations.changes import Changes


@dataclass
class Reader:
    """Of one table. `target` is where its changes go, as the table was described last."""

    source: Changes
    contract: Contract
    control: Connection
    columns: list[SourceColumn]
    target: Target
    #: The names of its columns as they were followed so far.
    followed: Sequence[str] = ()
    _begin: Begin | None = None
    _number: int = 0
    _relations: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._converts: list[Convert | None] = conversions(self.columns)
        self._keys = [self.target.header.index(name) for name in self.target.key]

    @classmethod
    def of(cls, control: Connection, source: Changes, contract: Contract, publication: str | None = None) -> "Reader":
        """As the table is now. Raises Refused where it does not fit the contract."""
        found = columns(control, source, publication)
        return cls(source, contract, control, found, _target(source, contract, found))

    def begin(self, message: Begin) -> None:
        self._begin, self._number = message, 0

    def alters(self, message: Relation) -> bool:
        """Whether the table has other columns than it had."""
        if (message.schema, message.table) != self.source.qualified:
            return False
        self._relations.add(message.id)
        sent = [(column.name, column.type) for column in message.columns]
        return [name for name, _ in sent] != list(self.followed) or described(self.control, sent) != self.columns

    def alter(self, message: Relation) -> list[str]:
        """Go on with the columns that the table has now; what became different, a sentence each. Raises Refused where
        they do not fit the contract."""
        found = described(self.control, [(column.name, column.type) for column in message.columns])
        target = _target(self.source, self.contract, found)
        said = _said(self.followed, target)
        self.columns, self.target, self.followed = found, target, target.header
        self.__post_init__()
        return said

    def changes(self, message: Message) -> Iterator[Change]:
        """What the message says of rows of the table."""
        if isinstance(message, Insert) and message.relation in self._relations:
            yield self._change("c", None, self._image(message.new))
        elif isinstance(message, Update) and message.relation in self._relations:
            before = None if message.old is None else self._image(message.old, message.is_key)
            yield self._change("u", before, self._image(message.new))
        elif isinstance(message, Delete) and message.relation in self._relations:
            yield self._change("d", self._image(message.old, message.is_key), None)
        elif isinstance(message, Truncate) and self._relations.intersection(message.relations):
            yield self._change("t", None, None)

    def _change(self, op: Op, before: Image | None, after: Image | None) -> Change:
        if self._begin is None:
            raise ValueError("pgoutput: expected a transaction to begin, found a change")
        self._number += 1
        begin = self._begin
        return Change(op, before, after, begin.lsn, self._number, begin.at, begin.xid)

    def _image(self, row: Row, is_key: bool = False) -> Image:
        names = self.target.header
        if is_key:
            return {names[place]: converted(row[place], self._converts[place]) for place in self._keys}
        return {
            name: value if convert is None else converted(value, convert)
            for name, value, convert in zip(names, row, self._converts, strict=True)
        }


def _target(source: Changes, contract: Contract, found: Sequence[SourceColumn]) -> Target:
    return Target.of(source.name, contract, [column.name for column in found], ".".join(source.qualified))


def _said(before: Sequence[str], target: Target) -> list[str]:
    """What became different in the table, and what becomes of it here."""
    rescued, said = target.plan.change.rescued, []
    for name in (name for name in target.header if name not in before):
        where = f"kept in _rescued of changes.{target.tables.name}" if name in rescued else "a column here as well"
        said.append(
            f"{target.origin} has a new column {name!r}: {where}; rows that were there before have no value in it until"
            " they change"
        )
    gone = (name for name in before if name not in target.header)
    return [*said, *(f"{target.origin} has no column {name!r} any more: it is empty from now on" for name in gone)]
