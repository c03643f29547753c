"""Claims: a drop is held by one worker at a time, and free again once that worker lets go of it or is gone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.ledger.drops import ClaimLost, Drop
from lastmile.ledger.events import record_event
from lastmile.telemetry.spans import span

#: Far longer than any load; it only matters where a dead session is not noticed (a cut network, a pooler).
LEASE = timedelta(minutes=30)
#: A drop that killed or lost this many workers is not given to another.
MOST_ATTEMPTS = 10
#: Drops of at most this many bytes are claimed many at once, of at most so many bytes together.
SMALL, MOST_BYTES = 256 * 1024, 8 * 1024 * 1024
#: Drops due within this time are waited for by the run at work; for later ones another run is requested in time.
LONGEST_WAIT = timedelta(seconds=30)
_PAUSE = timedelta(milliseconds=200)

#: A session of pg_stat_activity, distinct from all there ever were; and our own.
_SESSION = "pid || ' ' || backend_start"
OWN_SESSION = f"(SELECT {_SESSION} FROM pg_stat_activity WHERE pid = pg_backend_pid())"
HOLDER_IS_GONE = f"""(claim_expires_at < now() OR NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE claim_backend = {_SESSION}))"""

PENDING = "state IN ('discovered', 'claimed')"
REQUESTED = "retake IS NOT NULL"
TO_FILL = "refill IS NOT NULL AND state = 'loaded'"
SETTLED_BEFORE = (
    "state IN ('loaded', 'quarantined', 'failed') AND settled_at < %(redo_before)s AND discarded_at IS NULL"
)

#: Never settled, so that nothing of it is loaded or quarantined.
IS_NEW = "settled_at IS NULL AND sha256 IS NULL AND retake IS NULL AND refill IS NULL"

#: What a drop is set to when its worker lets it go.
FREE = "claim = NULL, claim_backend = NULL, claim_expires_at = NULL"
#: What was requested when the drop was claimed is done; what was requested meanwhile stays.
ANSWERED = "retake = nullif(retake, %s::bigint[]), refill = nullif(refill, %s::text[])"


def claim_next(
    connection: Connection,
    store: str,
    dataset: str,
    partitions: Sequence[str],
    run_id: str,
    redo_before: datetime | None = None,
) -> Drop | None:
    """The first of what `claim` claims; None when there is none."""
    return next(iter(claim(connection, store, dataset, partitions, run_id, redo_before)), None)


def claim(
    connection: Connection,
    store: str,
    dataset: str,
    partitions: Sequence[str],
    run_id: str,
    redo_before: datetime | None = None,
    most: int = 1,
) -> list[Drop]:
    """Claim the first drop of these partitions that is due and that no living worker holds; none where there is none.

    Those pending come first, then those with a request, then with `redo_before` those settled before that time. The
    rows of a re-ingested drop stay visible until replaced. What was discarded as a whole stays so.

    Up to `most` are claimed at once where all of them are small and new and none was tried before: a drop that kills
    its worker is then, from the second time on, alone, and uses up no attempts but its own.
    """
    sought = {
        "lease": LEASE, "run_id": run_id, "store": store, "dataset": dataset, "partitions": list(partitions),
        "redo_before": redo_before, "small": SMALL, "most_bytes": MOST_BYTES,
    }  # fmt: skip
    with span("db.claim", dataset=dataset) as done:
        for which in (PENDING, REQUESTED, TO_FILL, *([SETTLED_BEFORE] if redo_before else [])):
            if drops := _claim(connection, which, sought | {"most": most if which == PENDING else 1}):
                done(drops=len(drops))
                return drops
    return []


def _claim(connection: Connection, which: str, sought: dict[str, Any]) -> list[Drop]:
    """The order is that of the index of pending drops, so that a long backlog is not sorted for each of its drops.

    Nor is the statement prepared: planned for any values, Postgres takes another index and sorts the partition.
    """
    with connection.cursor(row_factory=class_row(Drop)) as cursor:
        return cursor.execute(
            f"""
            WITH due AS MATERIALIZED (
                SELECT id, partition, size, attempts = 0 AND size <= %(small)s AND {IS_NEW} AS may_be_one_of_many
                FROM ledger.drops
                WHERE {which}
                  AND store = %(store)s AND dataset = %(dataset)s AND partition = ANY(%(partitions)s)
                  AND not_before <= clock_timestamp() AND attempts < {MOST_ATTEMPTS}
                  AND (claim IS NULL OR {HOLDER_IS_GONE})
                ORDER BY partition, id LIMIT %(most)s FOR UPDATE SKIP LOCKED
            ), ordered AS (
                SELECT id, row_number() OVER so_far AS number, sum(size) OVER so_far AS bytes,
                    bool_and(may_be_one_of_many) OVER so_far AS are_many
                FROM due WINDOW so_far AS (ORDER BY partition, id)
            ), claimed AS (
                UPDATE ledger.drops
                SET claim = %(claim)s, claim_expires_at = now() + %(lease)s, attempts = attempts + 1,
                    claim_backend = {OWN_SESSION},
                    run_id = %(run_id)s, state = CASE WHEN state = 'discovered' THEN 'claimed' ELSE state END
                FROM ordered
                WHERE drops.id = ordered.id AND (number = 1 OR are_many AND bytes <= %(most_bytes)s)
                RETURNING drops.id, dataset, partition, key, drops.size, modified_at, attempts, claim, state,
                    cleaned_key, retake, refill, {IS_NEW} AS is_new, traceparent, coalesce((
                        SELECT same.version FROM ledger.drops same
                        WHERE same.store = drops.store AND same.key = drops.key AND same.state = 'duplicate'
                          AND same.id > drops.id AND same.sha256 = drops.sha256 ORDER BY same.id DESC LIMIT 1
                    ), version) AS version
            ), recorded AS (
                INSERT INTO ledger.events (drop_id, state, run_id) SELECT id, 'claimed', %(run_id)s FROM claimed
            )
            SELECT * FROM claimed ORDER BY partition, id
            """,
            sought | {"claim": uuid4()},
            prepare=False,
        ).fetchall()


def next_due(
    connection: Connection, store: str, dataset: str, partitions: Sequence[str], run_id: str
) -> datetime | None:
    """When the first drop that was put back may be tried again, or one that the run holds elsewhere is to be checked.

    Many workers can carry out one run. A drop of one that died is free as soon as its session is seen to be gone, which
    may be a moment after all the others found nothing to claim.
    """
    row = connection.execute(
        f"""
        SELECT min(CASE WHEN claim IS NULL THEN not_before ELSE clock_timestamp() + %(pause)s END) FROM ledger.drops
        WHERE store = %(store)s AND dataset = %(dataset)s AND partition = ANY(%(partitions)s) AND (
            (state = 'discovered' OR retake IS NOT NULL OR {TO_FILL}) AND claim IS NULL
            OR claim IS NOT NULL AND run_id = %(run_id)s AND claim_backend <> {OWN_SESSION})
        """,
        {"store": store, "dataset": dataset, "partitions": list(partitions), "run_id": run_id, "pause": _PAUSE},
    ).fetchone()
    return row[0] if row else None


def lock_claims(connection: Connection, *drops: Drop) -> None:
    """Lock the rows of drops until the transaction ends. Raises ClaimLost where another worker holds one."""
    with span("db.lock", drops=len(drops)):
        held = connection.execute(
            """
            SELECT id FROM ledger.drops JOIN unnest(%s::bigint[], %s::uuid[]) AS mine (id, claim) USING (id, claim)
            ORDER BY id FOR UPDATE OF drops
            """,
            [[drop.id for drop in drops], [drop.claim for drop in drops]],
        ).fetchall()
    for drop in drops:
        if (drop.id,) not in held:
            raise ClaimLost(f"drop {drop.id} ({drop.key}) is held by another worker now")


def requeue(connection: Connection, drop: Drop, run_id: str, message: str, wait: timedelta) -> None:
    """Give up the claim so that the drop is tried again after `wait`. A drop that was being redone stays as it was."""
    with connection.transaction():
        lock_claims(connection, drop)
        connection.execute(
            f"""
            UPDATE ledger.drops
            SET state = CASE WHEN state = 'claimed' THEN 'discovered' ELSE state END, message = %s,
                not_before = clock_timestamp() + %s, {FREE}
            WHERE id = %s
            """,
            [message, wait, drop.id],
        )
        record_event(connection, drop.id, "discovered", run_id, message)


def release_claim(connection: Connection, drop: Drop, run_id: str, message: str, wait: timedelta) -> None:
    """Give up the claim as though the drop had not been claimed; it is due after `wait`. A no-op where it is lost."""
    with connection.transaction():
        given = connection.execute(
            f"""
            UPDATE ledger.drops
            SET state = CASE WHEN state = 'claimed' THEN 'discovered' ELSE state END, message = %s,
                not_before = clock_timestamp() + %s, attempts = greatest(attempts - 1, 0), {FREE}
            WHERE id = %s AND claim = %s RETURNING state
            """,
            [message, wait, drop.id, drop.claim],
        ).fetchone()
        if given:
            record_event(connection, drop.id, given[0], run_id, message)


def fail_exhausted(connection: Connection, store: str, dataset: str, partitions: Sequence[str]) -> None:
    """Mark as failed the drops that too many workers died on, so that one poisonous file cannot stop the rest.

    Where one was settled before, and many died on ingesting it again, it stays as it was and the request ends.
    """
    given_up = connection.execute(
        f"""
        UPDATE ledger.drops SET state = 'failed', claim = NULL, settled_at = clock_timestamp(),
            message = 'given up after {MOST_ATTEMPTS} attempts without a result; look at the runs that claimed it'
        WHERE store = %s AND dataset = %s AND partition = ANY(%s) AND state IN ('discovered', 'claimed')
          AND attempts >= {MOST_ATTEMPTS} AND (claim IS NULL OR {HOLDER_IS_GONE})
        RETURNING id, state, message
        """,
        [store, dataset, list(partitions)],
    ).fetchall()
    given_up += connection.execute(
        f"""
        UPDATE ledger.drops SET retake = NULL, refill = NULL, claim = NULL, attempts = 0,
            message = 'not re-ingested: given up after {MOST_ATTEMPTS} attempts; look at the runs that claimed it'
        WHERE store = %s AND dataset = %s AND partition = ANY(%s) AND state NOT IN ('discovered', 'claimed')
          AND attempts >= {MOST_ATTEMPTS} AND (claim IS NULL OR {HOLDER_IS_GONE})
        RETURNING id, state, message
        """,
        [store, dataset, list(partitions)],
    ).fetchall()
    for drop_id, state, message in given_up:
        record_event(connection, drop_id, state, None, message)
