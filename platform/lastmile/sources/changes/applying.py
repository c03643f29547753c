"""Gathering changes to whole transactions, and committing these with the position behind them."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

from psycopg import Connection

from lastmile.sources.changes import positions
from lastmile.sources.changes.apply import Applied, apply
from lastmile.sources.changes.change import Change
from lastmile.sources.changes.pgoutput import Begin, Commit, Relation, message
from lastmile.sources.changes.reading import Reader
from lastmile.sources.fetching import Report
from lastmile.telemetry.spans import span

#: Changes that are applied together; more of one transaction are applied in parts that commit together.
MOST_CHANGES = 5_000
#: How long transactions that are complete wait for more.
WAIT_SECONDS = 1.0


@dataclass
class Followed:
    """What a following did."""

    rows_read: int = 0
    transactions: int = 0
    applied: Applied = field(default_factory=Applied)


@dataclass
class _Pending:
    """What is not committed yet: `changes` that are not applied, and what of the transaction at work is."""

    changes: list[Change] = field(default_factory=list)
    applied: Applied = field(default_factory=Applied)
    transactions: int = 0
    end: int = 0
    at: datetime | None = None
    since: float = 0.0
    is_open: bool = False


@dataclass
class Applying:
    """Of one source, from `position` on. Leaving the context gives up what is not committed."""

    connection: Connection
    reader: Reader
    report: Report
    done: Followed
    snapshot: int
    position: int
    _pending: _Pending = field(default_factory=_Pending)
    _begin: Begin | None = None
    #: To be said once it is committed: until then it may come again.
    _said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pending.is_open and not self.connection.closed:
            self.connection.rollback()

    @property
    def is_between(self) -> bool:
        """Whether no transaction is at work, and none is pending."""
        return self._begin is None and not self._pending.transactions

    @property
    def is_due(self) -> bool:
        """Whether what is pending should not wait for more."""
        pending = self._pending
        is_much = len(pending.changes) + pending.applied.changes >= MOST_CHANGES
        return self._begin is None and pending.transactions > 0 and (is_much or _age(pending) > WAIT_SECONDS)

    def add(self, data: bytes) -> None:
        """What the log says next."""
        found = message(data)
        if isinstance(found, Begin):
            self._begin = found
            self.reader.begin(found)
        elif isinstance(found, Commit):
            self._complete(found)
        elif isinstance(found, Relation):
            if self.reader.alters(found):
                self._alter(found)
        elif found is not None and self._begin is not None and self._begin.lsn >= self.position:
            self._pending.changes.extend(self.reader.changes(found))
            if len(self._pending.changes) >= MOST_CHANGES:
                self._apply()

    def commit(self) -> bool:
        """Commit the transactions that are complete; whether there were any, and none is at work."""
        pending = self._pending
        if self._begin is not None or not pending.transactions:
            return False
        with span("sources.commit", source=self.reader.source.name) as done:
            self._apply()
            positions.advance(
                self.connection,
                self.reader.source.name,
                self.position,
                pending.end,
                at=pending.at,
                transactions=pending.transactions,
                changes=pending.applied.changes,
                quarantined=pending.applied.quarantined,
            )
            self.connection.execute("COMMIT")
            done(rows=pending.applied.changes)
        self.position, self._pending = pending.end, _Pending()
        for sentence in self._said:
            self.report.event(sentence)
        self._said = []
        self.done.transactions += pending.transactions
        self.done.applied += pending.applied
        self.report.progress(self.done.transactions, self.done.rows_read + self.done.applied.changes, 0)
        return True

    def pass_over(self, reached: int) -> None:
        """Nothing up to there is about the table."""
        positions.advance(self.connection, self.reader.source.name, self.position, reached)
        self.position = reached

    def _complete(self, found: Commit) -> None:
        begin, self._begin = self._begin, None
        if begin is None or begin.lsn < self.position:  # it is loaded already
            return
        pending = self._pending
        pending.since = pending.since or time.monotonic()
        pending.transactions += 1
        pending.end, pending.at = found.end, found.at

    def _alter(self, found: Relation) -> None:
        """What came before belongs to the columns of before."""
        self._apply()
        said = self.reader.alter(found)
        positions.described(self.connection, self.reader.source.name, self.reader.target.header)
        self.reader.target.tables.ensure(self.connection)
        self._said += said

    def _apply(self) -> None:
        pending = self._pending
        if not pending.is_open:
            self.connection.execute("BEGIN")
            pending.is_open = True
        if pending.changes:
            some, pending.changes = pending.changes, []
            pending.applied += apply(self.connection, self.reader.target, some, self.snapshot)


def _age(pending: _Pending) -> float:
    return time.monotonic() - pending.since if pending.since else 0.0
