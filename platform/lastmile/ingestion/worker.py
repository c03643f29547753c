"""The worker: ingests all pending drops of a dataset's partitions.

Drops are independent, even where many small ones are committed together: one that cannot be parsed is retried a bounded
number of times and then quarantined, while the others continue. Kill the worker anywhere and run it again: it is
idempotent. Only a failure of its environment stops it: the database, the store, a full disk. That is raised, never
counted against a drop, and every claim is released for the next worker.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
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
from lastmile.ingestion.load import load_drop, object_of, settle_without_rows
from lastmile.ingestion.micro_batch import MAX_BATCH_DROPS, NotBatchable, load_batch
from lastmile.ingestion.outages import is_outage
from lastmile.ingestion.panics import as_error
from lastmile.ingestion.release import release_rows
from lastmile.ingestion.schema_evolution.rescued_values import fill_columns
from lastmile.ingestion.small_drops import DropRead, Plans, read_batch
from lastmile.ledger import ClaimLost, Drop, Outcome, RequestRefused
from lastmile.store import Changed, Denied, Missing, Pinned, Store
from lastmile.telemetry.spans import about, joining, span
from lastmile.warehouse.tables import ensure_table

logger = logging.getLogger(__name__)

#: Attempts at a drop that cannot be parsed, or is missing, before it is settled so.
MAX_ATTEMPTS = 3
#: Wait before the second attempt; each further one doubles it.
FIRST_RETRY_WAIT = timedelta(seconds=1)
#: Wait after a failure of the environment: other drops go first, in case a single object is unreachable.
OUTAGE_WAIT = timedelta(seconds=10)
#: Drops of one call, so that a backlog of any length is processed in runs of some minutes.
MAX_DROPS = 2_000

Report = Callable[[Drop, Outcome], None]
Reserve = Callable[[Sequence[Drop]], AbstractContextManager[None]]


def ingest_pending(
    connection: Connection,
    store: Store,
    contract: Contract,
    partitions: Sequence[str],
    run_id: str,
    redo: bool | datetime = False,
    report: Report = lambda drop, outcome: None,
    limit: int | None = None,
    reserve: Reserve = lambda drops: nullcontext(),
) -> list[Outcome]:
    """Ingest the pending drops of the partitions, at most `limit` or MAX_DROPS. Returns their outcomes.

    `report` is called with each drop and its outcome. `reserve` is a context around the ingestion of drops that were
    claimed together, such as a reservation of memory; what it raises is raised.

    With `redo`, drops settled before now, or before the given time, are re-ingested too; all of them unless `limit` is
    given, since the next run would not continue them.
    `connection` must be in autocommit mode. Raises UserError where the database or the store is unreachable.
    """
    ensure_table(connection, contract)
    ledger.fail_exhausted(connection, store.url, contract.name, partitions)
    redo_before = ledger.now(connection) if redo is True else redo or None
    limit = limit or (None if redo else MAX_DROPS)
    outcomes: list[Outcome] = []
    plans: Plans = {}
    while limit is None or len(outcomes) < limit:
        count = MAX_BATCH_DROPS if limit is None else min(MAX_BATCH_DROPS, limit - len(outcomes))
        drops = ledger.claim(connection, store.url, contract.name, partitions, run_id, redo_before, count)
        if not drops and not _wait_for_next(connection, store, contract, partitions, run_id):
            break
        with reserve(drops):
            for drop, outcome in _ingest_in_order(connection, store, contract, drops, run_id, plans):
                outcomes.append(outcome)
                report(drop, outcome)
    return outcomes


def _ingest_in_order(
    connection: Connection, store: Store, contract: Contract, drops: Sequence[Drop], run_id: str, plans: Plans
) -> Iterator[tuple[Drop, Outcome]]:
    """Ingest claimed drops, neighbours as a micro-batch where possible; an error leaves none of them claimed."""
    left = list(drops)
    try:
        with TemporaryDirectory(prefix="lastmile-") as folder:
            read = read_batch(store, contract, drops, Path(folder), plans) if len(drops) > 1 else {}
            while left:
                ready = [read[drop.id] for drop in takewhile(lambda drop: drop.id in read, left)]
                if len(ready) > 1:
                    outcomes = _try_batch(connection, store, contract, ready, Path(folder), run_id, read)
                    done, left = left[: len(outcomes)], left[len(outcomes) :]
                    yield from zip(done, outcomes, strict=True)
                else:
                    drop = left.pop(0)
                    if outcome := ingest_drop(connection, store, contract, drop, run_id):
                        yield drop, outcome
    except Exception as error:
        for drop in left:
            _release_claim(connection, drop, run_id, error, timedelta(0))
        if isinstance(error, UserError | psycopg.Error):
            raise
        raise UserError(
            f"cannot ingest {len(left)} drops of {contract.name}, they remain in the queue: {error}"
        ) from error


def _try_batch(
    connection: Connection,
    store: Store,
    contract: Contract,
    ready: Sequence[DropRead],
    folder: Path,
    run_id: str,
    read: dict[int, DropRead],
) -> list[Outcome]:
    """The outcomes of all of them; or none, and those that must be ingested individually are removed from `read`."""
    try:
        return load_batch(connection, store, contract, ready, folder, run_id)
    except NotBatchable as found:
        individual = found.drop_ids
    except BaseException as error:  # ingesting them individually meets whatever it is again, where it belongs
        logger.warning("%s drops are ingested one by one: %s", len(ready), as_error(error))
        individual = [one.drop.id for one in ready]
    for drop_id in individual:
        del read[drop_id]
    return []


def ingest_drop(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome | None:
    """Ingest one claimed drop; None where it was requeued for another attempt, or its claim was lost.

    Raises failures of the environment (a full disk, an unreachable store or database); the drop is then as it was, free
    for the next worker, with no attempt counted.
    """
    try:
        with (
            about(**drop.ids),
            joining(drop.traceparent) as links,
            span("ingest.drop", links=links, **drop.sent) as done,
        ):
            outcome = _ingest(connection, store, contract, drop, run_id)
            done(**(outcome.counts if outcome else {"state": "requeued"}))
            logger.info("%s: %s", drop.key, outcome.state if outcome else "requeued")
            return outcome
    except ClaimLost as lost:
        logger.warning("%s", lost)
        return None
    except Exception as error:
        _release_claim(connection, drop, run_id, error, OUTAGE_WAIT)
        if isinstance(error, UserError | psycopg.Error):
            raise
        raise UserError(f"cannot ingest drop {drop.id} ({drop.key}), it remains in the queue: {error}") from error


def _ingest(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome | None:
    try:
        if drop.requested == "filled":
            return fill_columns(connection, store, contract, drop, run_id)
        return _load_or_release(connection, store, contract, drop, run_id)
    except ClaimLost:
        raise
    except (Changed, Denied, Missing) as error:
        return _settle_unavailable(connection, store, drop, run_id, error)
    except BaseException as error:
        fault = as_error(error)
        if is_outage(fault):
            raise fault from error.__cause__
        return _settle_failed(connection, drop, run_id, fault)


def _load_or_release(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome:
    _expect_allowed_size(drop, contract)
    with (
        TemporaryDirectory(prefix="lastmile-") as folder,
        _pinned(store, drop, Path(folder) / "drop") as pinned,
    ):
        ingest = release_rows if drop.retake else load_drop
        try:
            return ingest(connection, store, contract, drop, pinned, run_id)
        except Exception:
            pinned.expect_unchanged()  # a change may be the cause
            raise


@contextmanager
def _pinned(store: Store, drop: Drop, to: Path) -> Iterator[Pinned]:
    with ExitStack() as stack:
        with span("ingest.fetch", dataset=drop.dataset, bytes=drop.size):
            pinned = stack.enter_context(store.pinned(object_of(drop), to))
        yield pinned


def _expect_allowed_size(drop: Drop, contract: Contract) -> None:
    """Raises Refused for an object larger than the contract allows, before any byte is fetched."""
    limit = contract.limits.bytes
    if drop.size > limit:
        raise Refused(
            f"expected an object of at most {limit:,} bytes, found {drop.size:,}. Send smaller files, or raise "
            "limits.bytes in the contract if this is meant."
        )


def _settle_failed(connection: Connection, drop: Drop, run_id: str, error: Exception) -> Outcome | None:
    """Settle or retry a drop that is itself at fault."""
    match error:
        case RequestRefused():
            _decline_request(connection, drop, run_id, str(error))
            return None
        case Unreadable():
            logger.warning("drop %s (%s) cannot be read: %s", drop.id, drop.key, error)
            return _retry(connection, drop, run_id, Outcome("quarantined", message=str(error)))
        case Refused():
            return settle_without_rows(connection, drop, run_id, Outcome("quarantined", message=str(error)))
        case _:
            logger.error("drop %s (%s) failed", drop.id, drop.key, exc_info=error)
            return _retry(connection, drop, run_id, Outcome("failed", message=f"{type(error).__name__}: {error}"))


def _settle_unavailable(
    connection: Connection, store: Store, drop: Drop, run_id: str, error: Changed | Denied | Missing
) -> Outcome | None:
    """Settle or retry a drop whose version can no longer be read."""
    if isinstance(error, Changed) and _is_as_listed(store, drop):
        raise UserError(f"{error}; yet it is stored as it was listed, so its bytes were truncated in transfer")
    if drop.is_reingested:
        _decline_request(connection, drop, run_id, str(error))
        return None
    if isinstance(error, Missing):
        return _retry(connection, drop, run_id, Outcome("missing", message=str(error)))
    if isinstance(error, Denied):
        return _retry(connection, drop, run_id, Outcome("failed", message=str(error)))
    superseded = Outcome("superseded", message=f"{error}; its new version is ingested instead")
    return settle_without_rows(connection, drop, run_id, superseded)


def _decline_request(connection: Connection, drop: Drop, run_id: str, why: str) -> None:
    """Leave a drop that was to be re-ingested, released or filled as it was, and record why."""
    ledger.decline(connection, drop, run_id, f"not {drop.requested or 'redone'}, rows kept: {why}")


def _is_as_listed(store: Store, drop: Drop) -> bool:
    try:
        return store.head(drop.key).version == drop.version
    except Missing:
        return False


def _release_claim(connection: Connection, drop: Drop, run_id: str, error: Exception, wait: timedelta) -> None:
    """Release the drop for the next worker. Where the database is unreachable, the end of this session does."""
    if connection.closed:  # lost as well; a statement on a connection that broke within a COPY would block for ever
        return
    try:
        ledger.release_claim(connection, drop, run_id, f"to be retried: {error}", wait)
    except psycopg.Error as fault:
        logger.warning("the claim on drop %s (%s) could not be released: %s", drop.id, drop.key, fault)


def _retry(connection: Connection, drop: Drop, run_id: str, end: Outcome) -> Outcome | None:
    """Requeue the drop for another attempt; after the last one settle it as `end`, or decline what was requested."""
    if drop.attempts < MAX_ATTEMPTS:
        wait = FIRST_RETRY_WAIT * 2 ** (drop.attempts - 1)
        ledger.requeue(connection, drop, run_id, end.message or "", wait)
        return None
    if drop.requested:
        _decline_request(connection, drop, run_id, end.message or "")
        return None
    message = f"{end.message} (attempted {drop.attempts} times)"
    return settle_without_rows(connection, drop, run_id, replace(end, message=message))


def _wait_for_next(
    connection: Connection, store: Store, contract: Contract, partitions: Sequence[str], run_id: str
) -> bool:
    """Wait until a requeued drop is due; False where none is due soon."""
    due = ledger.next_due(connection, store.url, contract.name, partitions, run_id)
    wait = (due - ledger.now(connection)) if due else ledger.LONGEST_WAIT
    if wait >= ledger.LONGEST_WAIT:
        return False
    time.sleep(max(wait.total_seconds(), 0.01))
    return True
