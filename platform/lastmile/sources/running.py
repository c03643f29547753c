"""A run of a source: fetch from where the last one ended, land it, and say in the history what happened.

One run of a source at a time, by a lock that goes with the session of who holds it. Killed at any moment, the next run
goes on: what had not landed is fetched again, and what had is left to the ledger.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection, Error

from lastmile.contracts import Contract
from lastmile.errors import UserError
from lastmile.sources import runs
from lastmile.sources.cursors import Standing, standing
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.declarations.source import Source
from lastmile.sources.fetches import Fetch, Intent
from lastmile.sources.fetching import Fetched, Progress, Report, Task, fetched
from lastmile.sources.landing import key_from, key_of_all, land, resolve
from lastmile.sources.order import lower
from lastmile.sources.repeats import landed_before
from lastmile.sources.runs import Ran
from lastmile.store import Store
from lastmile.store.transfer import hash_of
from lastmile.telemetry.spans import span

#: A drop that was not ingested for so long is fetched again.
_PATIENCE = timedelta(hours=1)
_UNTIL_GONE_SECONDS = 5.0


def run(
    connection: Connection,
    store: Store,
    source: Source,
    contract: Contract,
    run_id: str | None = None,
    since: str | None = None,
    progress: Progress = lambda requests, records, size: None,
    is_patient: bool = False,
) -> Ran:
    """What was fetched. `connection` must be in autocommit; `since` begins earlier than where the last run ended.

    Where it `is_patient`, it fetches nothing while what came last is on its way into the tables: fetched more often
    than drops are ingested, each would replace the one before, and none ever be loaded. Raises UserError where another
    run of it is at work, or the source cannot be had as it is declared.
    """
    if isinstance(source, Changes):
        from lastmile.sources.changes.running import is_followed, run_changes

        if is_followed(connection, source):
            return Ran("nothing new", events=[f"a process follows {source.name}"])
        return run_changes(connection, source, contract, run_id, progress)
    if since is not None and not source.is_incremental:
        raise UserError(f"source {source.name} fetches everything each time; --since is for those with a cursor")
    with alone(connection, source.name):
        number, ran, report = runs.begin(connection, source.name, run_id), Ran(), Report(progress)
        try:
            with span("sources.run", source=source.name, dataset=source.dataset) as done:
                at = _resolved(connection, store, source, report)
                if is_patient and at.again and _would_replace(at.again, at, source, contract):
                    ran.state = "nothing new"
                    report.event(f"{at.again.key} is not ingested yet: nothing is fetched until it is")
                else:
                    here = at if source.is_incremental else Standing()
                    _carry_out(connection, store, source, contract, run_id, since, here, ran, report)
                done(rows=ran.records, bytes=ran.bytes)
        except BaseException as error:
            ran.state, ran.message = "failed", str(error) or type(error).__name__
            with suppress(Error):  # where the database is gone, the next run writes that this one was killed
                _end(connection, number, ran, report)
            raise
        _end(connection, number, ran, report)
    return ran


@contextmanager
def alone(connection: Connection, source: str) -> Iterator[None]:
    """Raises UserError where another session is at the same source, and does not end at once.

    That of a run that was killed takes a moment to be gone, on a busy machine seconds.
    """
    lock, ends = "(hashtextextended(%s, 24))", time.monotonic() + _UNTIL_GONE_SECONDS
    while connection.execute(f"SELECT pg_try_advisory_lock{lock}", [source]).fetchone() != (True,):
        if time.monotonic() > ends:
            raise UserError(f"source {source} is being fetched by another run; wait until that is done")
        time.sleep(0.1)
    try:
        yield
    finally:
        with suppress(Error):  # the lock is gone with the session
            connection.execute(f"SELECT pg_advisory_unlock{lock}", [source])


def _carry_out(
    connection: Connection,
    store: Store,
    source: Source,
    contract: Contract,
    run_id: str | None,
    since: str | None,
    at: Standing,
    ran: Ran,
    report: Report,
) -> None:
    ran.cursor_from = _begin(at, since)
    ran.partition = at.again.partition if at.again else _today(contract)
    replaced = at.again.key if at.again else ""
    known = partial(landed_before, connection, store.url, source.name, replaced)
    with TemporaryDirectory(prefix="lastmile-source-") as folder:
        task = Task(folder=Path(folder), begin=ran.cursor_from, reached=at.reached, known=known, report=report)
        found = fetched(source, task)
        ran.repeated, ran.cursor_to = found.repeated, found.cursor_to
        if source.is_incremental and not found.records:
            ran.state = "nothing new"
            return
        ran.key = replaced or _key(connection, store, source, ran, found)
        _land(connection, store, source, run_id, ran, found)


def _resolved(connection: Connection, store: Store, source: Source, report: Report) -> Standing:
    """Where the source is, once it is known what became of killed runs."""
    for sentence in resolve(connection, store, source.name):
        report.event(sentence)
    return standing(connection, store.url, source.name)


def _would_replace(last: Fetch, at: Standing, source: Source, contract: Contract) -> bool:
    """Whether another fetch would replace what is about to be ingested."""
    is_same = source.is_incremental or last.partition == _today(contract)
    return is_same and at.is_coming and datetime.now(UTC) - last.begun_at < _PATIENCE


def _today(contract: Contract) -> str:
    """The partition of what is fetched now. Raises UserError where the dataset has none yet."""
    partition = contract.partition.key_of(datetime.now(UTC).date())
    try:
        contract.partition.window(partition)
    except ValueError as error:
        raise UserError(f"dataset {contract.name}: {error}; let its partitions start earlier") from None
    return partition


def _begin(at: Standing, since: str | None) -> str | None:
    """Never later than what is replaced begins."""
    if since is None or (at.again and at.begin is None):
        return at.begin
    return since if at.begin is None else lower(since, at.begin)


def _key(connection: Connection, store: Store, source: Source, ran: Ran, found: Fetched) -> str:
    place = (source.name, source.dataset, str(ran.partition), found.suffix)
    return key_from(connection, store.url, *place, ran.cursor_from) if source.is_incremental else key_of_all(*place)


def _land(connection: Connection, store: Store, source: Source, run_id: str | None, ran: Ran, found: Fetched) -> None:
    ran.records, ran.bytes = found.records, found.file.stat().st_size
    intent = Intent(
        source=source.name,
        dataset=source.dataset,
        partition=str(ran.partition),
        key=str(ran.key),
        sha256=hash_of(found.file),
        size=ran.bytes,
        records=found.records,
        cursor_from=ran.cursor_from,
        cursor_to=found.cursor_to,
        digests=found.digests,
        run_id=run_id,
    )
    ran.fetch = land(connection, store, intent, found.file)
    ran.state = "landed"


def _end(connection: Connection, number: int, ran: Ran, report: Report) -> None:
    ran.requests, ran.events = report.requests, report.all_events()
    runs.end(connection, number, ran)
