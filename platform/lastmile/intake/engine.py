"""The intake: works through all pending drops of a dataset's partitions, one transaction each.

A drop stands or falls alone: what cannot be parsed is tried a bounded number of times and then set aside, while the
others go on. Kill it anywhere and call it again: what was committed is not done twice, what was not is done whole.
Only the database or the store failing stops it; that is raised, and every claim it held is free for the next worker.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection, OperationalError

from lastmile.contract import Contract
from lastmile.errors import UserError
from lastmile.intake import ledger
from lastmile.intake.batch import Refused, Unreadable
from lastmile.intake.ledger import ClaimLost, Drop, Outcome
from lastmile.intake.loading import load, set_aside
from lastmile.intake.releasing import NotReleased, release
from lastmile.store import Changed, Missing, Store, StoredObject
from lastmile.warehouse.tables import ensure_table

logger = logging.getLogger(__name__)

#: How often a drop that cannot be parsed, or is gone, is tried before that is taken as its end.
TRIES = 3
#: Wait before the next try: 1 s, 2 s, 4 s ...
FIRST_WAIT = timedelta(seconds=1)
#: Drops taken in one call, so that a backlog of any length is worked off in runs of some minutes.
MOST_DROPS = 2_000

Report = Callable[[Drop, Outcome], None]


def take_pending(
    connection: Connection,
    store: Store,
    contract: Contract,
    partitions: Sequence[str],
    run_id: str,
    redo: bool = False,
    report: Report = lambda drop, outcome: None,
) -> list[Outcome]:
    """Take the pending drops of the partitions, MOST_DROPS at most. Returns their outcomes.

    With `redo`, drops settled before now are taken too, and all of them: nobody would ask for the rest.
    `connection` must be in autocommit mode. Raises UserError where the database or the store is unreachable.
    """
    ensure_table(connection, contract)
    ledger.give_up(connection, store.url, contract.name, partitions)
    started = ledger.now(connection) if redo else None
    outcomes: list[Outcome] = []
    while redo or len(outcomes) < MOST_DROPS:
        drop = ledger.claim_next(connection, store.url, contract.name, partitions, run_id, started)
        if drop is None:
            if not _wait_for_next(connection, store, contract, partitions):
                return outcomes
            continue
        outcome = take(connection, store, contract, drop, run_id)
        if outcome is not None:
            outcomes.append(outcome)
            report(drop, outcome)
    return outcomes


def take(connection: Connection, store: Store, contract: Contract, drop: Drop, run_id: str) -> Outcome | None:
    """Take one claimed drop to its end; None where it was put back to be tried again, or lost to another worker."""
    try:
        with TemporaryDirectory(prefix="lastmile-") as folder:
            copy = Path(folder) / "drop"
            sha256 = store.fetch(StoredObject(drop.key, drop.size, drop.version, drop.modified_at), copy)
            way = release if drop.retake else load
            return way(connection, store, contract, drop, copy, sha256, run_id)
    except (OperationalError, UserError):
        raise
    except ClaimLost as lost:
        logger.warning("%s", lost)
        return None
    except (Changed, Missing) as error:
        return _without_its_bytes(connection, drop, run_id, error)
    except NotReleased as error:
        ledger.keep(connection, drop, run_id, f"not released, rows kept: {error}")
        return None
    except Unreadable as error:
        return _try_again(connection, drop, run_id, Outcome("quarantined", message=str(error)))
    except Refused as error:
        return set_aside(connection, drop, run_id, Outcome("quarantined", message=str(error)))
    except Exception as error:
        logger.exception("drop %s (%s) failed", drop.id, drop.key)
        return _try_again(connection, drop, run_id, Outcome("failed", message=f"{type(error).__name__}: {error}"))


def _without_its_bytes(connection: Connection, drop: Drop, run_id: str, error: Changed | Missing) -> Outcome | None:
    if drop.is_redone:
        asked = "released" if drop.retake else "redone"
        ledger.keep(connection, drop, run_id, f"not {asked}, rows kept: {error}")
        return None
    if isinstance(error, Missing):
        return _try_again(connection, drop, run_id, Outcome("missing", message=str(error)))
    return set_aside(
        connection, drop, run_id, Outcome("superseded", message=f"{error}; its new version is taken instead")
    )


def _try_again(connection: Connection, drop: Drop, run_id: str, end: Outcome) -> Outcome | None:
    if drop.attempts >= TRIES and drop.retake:
        ledger.keep(connection, drop, run_id, f"not released, rows kept: {end.message}")
        return None
    if drop.attempts >= TRIES:
        return set_aside(connection, drop, run_id, replace(end, message=f"{end.message} (tried {drop.attempts} times)"))
    ledger.put_back(connection, drop, run_id, end.message or "", FIRST_WAIT * 2 ** (drop.attempts - 1))
    return None


def _wait_for_next(connection: Connection, store: Store, contract: Contract, partitions: Sequence[str]) -> bool:
    due = ledger.next_due(connection, store.url, contract.name, partitions)
    wait = (due - ledger.now(connection)) if due else ledger.LONGEST_WAIT
    if wait >= ledger.LONGEST_WAIT:
        return False
    time.sleep(max(wait.total_seconds(), 0.01))
    return True
