"""The intake: works through all pending drops of a dataset's partitions.

A drop stands or falls alone, also where many small ones are committed together: what cannot be parsed is tried a
bounded number of times and then set aside, while the others go on. Kill it anywhere and call it again: what was
committed is not done twice, what was not is done whole. Only its environment failing stops it: the database, the store,
a full disk. That is raised, never held against a drop, and every claim is free for the next worker.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.load import load, set_aside
from lastmile.ingestion.micro_batch import MAX_BATCH, NotBatchable, Read, listed, load_batch, read_batch
from lastmile.ingestion.outages import is_outage
from lastmile.ingestion.release import release
from lastmile.ingestion.schema_evolution.rescued_values import fill_columns
from lastmile.ledger import ClaimLost, Drop, Outcome, RequestRefused
from lastmile.store import Changed, Missing, Store
from lastmile.warehouse.tables import ensure_table

logger = logging.getLogger(__name__)

#: How often a drop that cannot be parsed, or is gone, is tried before that is taken as its end.
MAX_TRIES = 3
#: Wait before the next try: 1 s, 2 s, 4 s ...
FIRST_RETRY_WAIT = timedelta(seconds=1)
#: Wait after a fault of the environment: other drops go first, in case it is one object that cannot be had.
OUTAGE_WAIT = timedelta(seconds=10)
#: Drops taken in one call, so that a backlog of any length is worked off in runs of some minutes.
MAX_DROPS = 2_000

Report = Callable[[Drop, Outcome], None]
Hold = Callable[[Sequence[Drop]], AbstractContextManager[None]]


def ingest_pending(
    connection: Connection,
    store: Store,
    contract: Contract,
    partitions: Sequence[str],
    run_id: str,
    redo: bool | datetime = False,
    report: Report = lambda drop, outcome: None,
    most: int | None = None,
    hold: Hold = lambda drops: nullcontext(),
) -> list[Outcome]:
    """Take the pending drops of the partitions, `most` or MAX_DROPS at most. Returns their outcomes.

    `hold` is around the taking of drops that were claimed at once; what it raises is raised.

    With `redo`, drops settled before now, or before the moment given, are taken too; and all of them, unless `most` is
    given: nobody would ask for the rest.
    `connection` must be in autocommit mode. Raises UserError where the database or the store is unreachable.
    """
    ensure_table(connection, contract)
    ledger.fail_exhausted(connection, store.url, contract.name, partitions)
    started = ledger.now(connection) if redo is True else redo or None
    most = most or (None if redo else MAX_DROPS)
    outcomes: list[Outcome] = []
    while most is None or len(outcomes) < most:
        at_once = MAX_BATCH if most is None else min(MAX_BATCH, most - len(outcomes))
        drops = ledger.claim(connection, store.url, contract.name, partitions, run_id, started, at_once)
        if not drops and not _wait_for_next(connection, store, contract, partitions, run_id):
            break
        with hold(drops):
            for drop, outcome in _take_in_order(connection, store, contract, drops, run_id):
                outcomes.append(outcome)
                report(drop, outcome)
    return outcomes


def _take_in_order(
    connection: Connection, store: Store, contract: Contract, drops: Sequence[Drop], run_id: str
) -> Iterator[tuple[Drop, Outcome]]:
    """Take claimed drops, those next to each other together where they can be; none is left claimed by an error."""
    left = list(drops)
    try:
        with TemporaryDirectory(prefix="lastmile-") as folder:
            read = read_batch(store, contract, drops, Path(folder)) if len(drops) > 1 else {}
            while left:
                ready = [read[drop.id] for drop in takewhile(lambda drop: drop.id in read, left)]
                if len(ready) > 1:
                    outcomes = _try_together(connection, store, contract, ready, Path(folder), run_id, read)
                    done, left = left[: len(outcomes)], left[len(outcomes) :]
                    yield from zip(done, outcomes, strict=True)
                else:
                    drop = left.pop(0)
                    if outcome := take(connection, store, contract, drop, run_id):
                        yield drop, outcome
    except Exception as error:
        for drop in left:
            _give_back(connection, drop, run_id, error, timedelta(0))
        if isinstance(error, UserError | psycopg.Error):
            raise
        raise UserError(f"cannot take {len(left)} drops of {contract.name}, they stay in the queue: {error}") from error


def _try_together(
    connection: Connection,
    store: Store,
    contract: Contract,
    ready: Sequence[Read],
    folder: Path,
    run_id: str,
    read: dict[int, Read],
) -> list[Outcome]:
    """The outcomes of all of them; or none, and then out of `read` are those that must be taken alone."""
    try:
        return load_batch(connection, store, contract, ready, folder, run_id)
    except NotBatchable as apart:
        alone = apart.drops
    except Exception as error:  # whatever it is, taking them one by one meets it again, where it belongs
        logger.warning("%s drops are taken one by one: %s", len(ready), error)
        alone = [one.drop.id for one in ready]
    for drop_id in alone:
        del read[drop_id]
    return []


def take(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome | None:
    """Take one claimed drop to its end; None where it was put back to be tried again, or lost to another worker.

    Raises what the environment did (a full disk, a store or database that does not answer); the drop is then as it was,
    free for the next worker, with none of its tries used up.
    """
    try:
        return _take(connection, store, contract, drop, run_id)
    except ClaimLost as lost:
        logger.warning("%s", lost)
        return None
    except Exception as error:
        _give_back(connection, drop, run_id, error, OUTAGE_WAIT)
        if isinstance(error, UserError | psycopg.Error):
            raise
        raise UserError(f"cannot take drop {drop.id} ({drop.key}), it stays in the queue: {error}") from error


def expect_size(drop: Drop, contract: Contract) -> None:
    """Raises Refused for an object larger than the contract allows, before a byte of it is fetched."""
    most = contract.limits.bytes
    if drop.size > most:
        raise Refused(
            f"expected an object of at most {most:,} bytes, found {drop.size:,}. Send smaller files, or raise "
            "limits.bytes in the contract if this is meant."
        )


def _take(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome | None:
    try:
        if drop.requested == "filled":
            return fill_columns(connection, store, contract, drop, run_id)
        with TemporaryDirectory(prefix="lastmile-") as folder:
            expect_size(drop, contract)
            lent = store.pin(listed(drop), Path(folder) / "drop")
            try:
                way = release if drop.retake else load
                return way(connection, store, contract, drop, lent, run_id)
            except Exception:
                lent.expect_unchanged()  # what is wrong may come of a change
                raise
    except ClaimLost:
        raise
    except (Changed, Missing) as error:
        return _without_its_bytes(connection, store, drop, run_id, error)
    except Exception as error:
        if is_outage(error):
            raise
        return _set_back(connection, drop, run_id, error)


def _set_back(connection: Connection, drop: Drop, run_id: str, error: Exception) -> Outcome | None:
    """What is done with a drop that is itself at fault."""
    match error:
        case RequestRefused():
            _keep(connection, drop, run_id, str(error))
            return None
        case Unreadable():
            return _try_again(connection, drop, run_id, Outcome("quarantined", message=str(error)))
        case Refused():
            return set_aside(connection, drop, run_id, Outcome("quarantined", message=str(error)))
        case _:
            logger.error("drop %s (%s) failed", drop.id, drop.key, exc_info=error)
            return _try_again(connection, drop, run_id, Outcome("failed", message=f"{type(error).__name__}: {error}"))


def _without_its_bytes(
    connection: Connection, store: Store, drop: Drop, run_id: str, error: Changed | Missing
) -> Outcome | None:
    if isinstance(error, Changed) and _is_as_listed(store, drop):
        raise UserError(f"{error}; yet it is there as it was listed, so that its bytes were cut short on their way")
    if drop.is_reingested:
        _keep(connection, drop, run_id, str(error))
        return None
    if isinstance(error, Missing):
        return _try_again(connection, drop, run_id, Outcome("missing", message=str(error)))
    return set_aside(
        connection, drop, run_id, Outcome("superseded", message=f"{error}; its new version is taken instead")
    )


def _keep(connection: Connection, drop: Drop, run_id: str, why: str) -> None:
    """Leave a drop that was to be taken again as it was, and say why."""
    ledger.decline(connection, drop, run_id, f"not {drop.requested or 'redone'}, rows kept: {why}")


def _is_as_listed(store: Store, drop: Drop) -> bool:
    try:
        return store.head(drop.key).version == drop.version
    except Missing:
        return False


def _give_back(connection: Connection, drop: Drop, run_id: str, error: Exception, wait: timedelta) -> None:
    """Free the drop for the next worker. Where the database is away, the end of this session frees it."""
    if connection.closed:  # lost too; to ask a connection that broke in the middle of a COPY would wait for ever
        return
    try:
        ledger.release_claim(connection, drop, run_id, f"to be taken again: {error}", wait)
    except psycopg.Error as fault:
        logger.warning("drop %s (%s) could not be given back: %s", drop.id, drop.key, fault)


def _try_again(connection: Connection, drop: Drop, run_id: str, end: Outcome) -> Outcome | None:
    if drop.attempts >= MAX_TRIES and drop.requested:
        _keep(connection, drop, run_id, end.message or "")
        return None
    if drop.attempts >= MAX_TRIES:
        return set_aside(connection, drop, run_id, replace(end, message=f"{end.message} (tried {drop.attempts} times)"))
    ledger.requeue(connection, drop, run_id, end.message or "", FIRST_RETRY_WAIT * 2 ** (drop.attempts - 1))
    return None


def _wait_for_next(
    connection: Connection, store: Store, contract: Contract, partitions: Sequence[str], run_id: str
) -> bool:
    due = ledger.next_due(connection, store.url, contract.name, partitions, run_id)
    wait = (due - ledger.now(connection)) if due else ledger.LONGEST_WAIT
    if wait >= ledger.LONGEST_WAIT:
        return False
    time.sleep(max(wait.total_seconds(), 0.01))
    return True
