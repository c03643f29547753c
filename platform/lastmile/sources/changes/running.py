"""A run of a source of changes: alone, and written into the history of sources."""

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass

from psycopg import Connection, Error

from lastmile.contracts import Contract
from lastmile.errors import UserError
from lastmile.sources import runs
from lastmile.sources.changes import lsn, origin, positions
from lastmile.sources.changes.applying import Followed
from lastmile.sources.changes.following import control_of, follow
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.fetching import Progress, Report
from lastmile.sources.running import alone
from lastmile.sources.runs import Ran

log = logging.getLogger(__name__)


@dataclass
class _Noting(Report):
    """What happens is in the history at once: a run may last for months."""

    connection: Connection | None = None
    number: int = 0

    def event(self, sentence: str) -> None:
        super().event(sentence)
        log.info(sentence)
        if self.connection is not None and not self.connection.closed:
            runs.note(self.connection, self.number, self.all_events())


def run_changes(
    connection: Connection,
    source: Changes,
    contract: Contract,
    run_id: str | None = None,
    progress: Progress = lambda requests, records, size: None,
    *,
    until_caught_up: bool = True,
    anew: bool = False,
    stop: threading.Event | None = None,
) -> Ran:
    """Follow the source; what came of it. Raises as `follow` does, and UserError where another process follows it."""
    with alone(connection, source.name):
        done, ran, before = Followed(), Ran(), positions.of(connection, source.name)
        number = runs.begin(connection, source.name, run_id)
        report = _Noting(progress, connection=connection, number=number)
        try:
            ran.cursor_from = lsn.text(before.lsn) if before and before.lsn else None
            follow(connection, source, contract, report, done, until_caught_up=until_caught_up, anew=anew, stop=stop)
            ran.state = "landed" if done.rows_read or done.applied.changes else "nothing new"
        except BaseException as error:
            ran.state, ran.message = "failed", str(error) or type(error).__name__
            with suppress(Error):
                positions.failed(connection, source.name, ran.message)
            raise
        finally:
            with suppress(Error):  # where the database is gone, the next run writes that this one was killed
                _end(connection, source, number, ran, done, report)
    return ran


def is_followed(connection: Connection, source: Changes) -> bool:
    """Whether a process is at it."""
    try:
        with alone(connection, source.name):
            return False
    except UserError:
        return True


def request_snapshot(connection: Connection, source: Changes) -> None:
    """From the process that follows it."""
    positions.want_snapshot(connection, source.name)


def drop(connection: Connection, source: Changes) -> bool:
    """Give up following: the slot is dropped at the source, and a publication of ours; the tables stay. Whether it was
    followed. Raises Unreachable where the database is away: then it keeps its log for us."""
    with alone(connection, source.name):
        position = positions.of(connection, source.name)
        if position is None:
            return False
        with control_of(source) as control:
            origin.drop_slot(control, position.slot)
            if source.publication is None:
                origin.drop_publication(control, position.publication)
        positions.forget(connection, source.name)
    return True


def _end(connection: Connection, source: Changes, number: int, ran: Ran, done: Followed, report: Report) -> None:
    after = positions.of(connection, source.name)
    ran.cursor_to = lsn.text(after.lsn) if after and after.lsn else None
    ran.requests, ran.records = done.transactions, done.rows_read + done.applied.changes
    if done.applied.quarantined:
        report.event(f"versions of rows that break the contract, now in quarantine: {done.applied.quarantined:,}")
    ran.events = report.all_events()
    runs.end(connection, number, ran)
    if ran.state == "failed" and not ran.records:
        runs.forget_same(connection, source.name, number)


def expect_changes(source: object, name: str) -> Changes:
    """Raises UserError for a source of another kind."""
    if not isinstance(source, Changes):
        raise UserError(f"source {name} is no source of changes: it is fetched by runs")
    return source
