"""Following a table: a snapshot where there is none, then its changes, transaction by transaction.

What is loaded together begins and ends between two transactions of the source, and commits with the position behind
them; a transaction is never seen in parts. The source's lock is held by the session that writes, so who has lost it can
write no more. The database learns that it may forget a part of its log only after that part is committed here.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from lastmile.contracts import Contract
from lastmile.errors import Unreachable, UserError
from lastmile.ingestion.batch import Refused
from lastmile.sources.changes import origin, positions, snapshot
from lastmile.sources.changes.applying import Applying, Followed
from lastmile.sources.changes.positions import Position
from lastmile.sources.changes.reading import Reader
from lastmile.sources.changes.replication import Log, connected, system
from lastmile.sources.databases.addresses import unreachable
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.fetching import Report
from lastmile.warehouse.connections import CLIENT

#: How long a read waits; and how often the position is written where nothing happens.
WAIT_SECONDS, BEAT_SECONDS = 1.0, 5.0
#: How long a reader of ours who is gone may seem to use the slot.
SLOT_SECONDS = 90


def follow(
    connection: Connection,
    source: Changes,
    contract: Contract,
    report: Report,
    done: Followed,
    *,
    until_caught_up: bool = False,
    anew: bool = False,
    stop: threading.Event | None = None,
) -> None:
    """Follow until stopped, or until all is loaded that was in the log at the beginning; with a snapshot first where
    there is none, or where it is wanted `anew`; `done` says how far it is. `connection` holds the source's
    lock, in autocommit.

    Raises Unreachable where the source's database is away, UserError where it cannot be followed.
    """
    url = source.url.value()
    with control_of(source) as control:
        origin.expect_logical(control)
        origin.identity_of(control, source)
        origin.expect_followable(control, source, Reader.of(control, source, contract).target.key)
        publication = origin.ensure_publication(control, source)
        reader = Reader.of(control, source, contract, publication)
        position = None if anew else _standing(connection, control, url, source)
        with connection.transaction():
            reader.target.tables.ensure(connection)
        if position is None:
            loaded = snapshot.take(connection, control, url, source, publication, reader, report)
            done.rows_read, done.applied.quarantined = loaded.changes, loaded.quarantined
            report.event(f"{loaded.changes:,} rows are loaded as they are now; changes are followed from there on")
            position = positions.of(connection, source.name)
        if position is None or position.lsn is None:
            raise UserError(f"source {source.name}: its snapshot has no position; run it again")
        reader.followed = position.columns
        end = origin.end_of_log(control) if until_caught_up else None
        with connected(url) as replication:
            log = _log(replication, source, position)
            following = Applying(connection, reader, report, done, position.snapshot, position.lsn)
            _read(control, log, following, source, end, stop or threading.Event())


def _read(
    control: Connection, log: Log, applying: Applying, source: Changes, end: int | None, stop: threading.Event
) -> None:
    """Hand over what comes, until the end is reached or it is stopped; what is loaded is confirmed."""
    beat = 0.0
    with applying:
        while not stop.is_set():
            with from_source(source):
                for data in log.read(WAIT_SECONDS):
                    applying.add(data)
                    if applying.is_due and applying.commit():
                        log.confirm(applying.position)
            if applying.commit():
                log.confirm(applying.position)
            is_beat = time.monotonic() - beat > BEAT_SECONDS
            is_end = end is not None and log.reached >= end
            if applying.is_between and log.reached > applying.position and (is_beat or is_end):
                applying.pass_over(log.reached)
                log.confirm(applying.position)
            if is_beat:
                beat = time.monotonic()
                with from_source(source):
                    now = origin.end_of_log(control)
                positions.seen(applying.connection, source.name, now)
            if end is not None and applying.is_between and applying.position >= end:
                positions.seen(applying.connection, source.name, applying.position)
                return
            if end is not None:
                log.ask()


@contextmanager
def control_of(source: Changes) -> Iterator[Connection]:
    """A plain connection to the source's database, whose errors are said as a person reads them."""
    url = source.url.value()
    try:
        connection = psycopg.connect(make_conninfo(url, **CLIENT), autocommit=True)
    except psycopg.OperationalError as error:
        raise unreachable(url, error) from None
    with connection:
        try:
            yield connection
        except Refused as refused:
            raise UserError(f"source {source.name}: {refused}") from None


@contextmanager
def from_source(source: Changes) -> Iterator[None]:
    """Where its database ends the connection: that it is away."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unreachable(f"source {source.name}: its database ended the connection: {error}") from None


def _standing(connection: Connection, control: Connection, url: str, source: Changes) -> Position | None:
    """Where it was left; None where there is no snapshot yet. Raises UserError where it cannot go on from there."""
    position = positions.of(connection, source.name)
    if position is None or position.lsn is None:
        return None
    if not connection.execute("SELECT to_regclass(%s)", [f"changes.{source.name}"]).fetchone() != (None,):
        raise UserError(
            f"source {source.name}: the table changes.{source.name} is gone; load all rows anew with"
            f" `lastmile source run {source.name} --snapshot`"
        )
    with connected(url) as replication:
        now = system(replication)
    if process := origin.expect_slot(control, source, position, now):
        origin.release(control, process)
    return position


def _log(replication: Connection, source: Changes, position: Position) -> Log:
    """The log from the position on. A reader of ours that was killed may use the slot for a moment."""
    deadline = time.monotonic() + SLOT_SECONDS
    while True:
        try:
            return Log(replication, position.slot, position.publication, position.lsn or 0)
        except psycopg.OperationalError as error:
            if "is active for PID" not in str(error) or time.monotonic() > deadline:
                raise Unreachable(f"source {source.name}: its log cannot be read: {error}") from None
            time.sleep(0.5)
