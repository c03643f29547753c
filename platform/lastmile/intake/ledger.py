"""The ledger: what happened to each drop, one row each, written in the transaction that moves its rows.

The ledger alone decides what is new. A drop is held by one worker at a time through a claim: a token that the final
write must still own, so a worker that lost its claim cannot commit. A claim is dead once the database session that took
it is gone (a killed worker's socket closes at once) or its lease has run out, whichever comes first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

State = Literal["discovered", "claimed", "loaded", "quarantined", "duplicate", "superseded", "missing", "failed"]

#: Far longer than any load; it only matters where a dead session is not noticed (a cut network, a pooler).
LEASE = timedelta(minutes=30)
#: A drop that killed or lost this many workers is not given to another.
MOST_ATTEMPTS = 10
#: Drops due within this time are waited for by whoever takes drops; for later ones another run is asked for in time.
LONGEST_WAIT = timedelta(seconds=30)

_HOLDER_IS_GONE = """(claim_expires_at < now() OR NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE claim_backend = pid || ' ' || backend_start))"""

_PENDING = "state IN ('discovered', 'claimed')"
_ASKED_FOR = "retake IS NOT NULL"
_TO_FILL = "refill IS NOT NULL AND state = 'loaded'"
_SETTLED_BEFORE = (
    "state IN ('loaded', 'quarantined', 'failed') AND settled_at < %(redo_before)s AND discarded_at IS NULL"
)

#: What a drop is set to when its worker lets it go.
_FREE = "claim = NULL, claim_backend = NULL, claim_expires_at = NULL"
#: What was asked for when the drop was claimed is done; more that was asked for meanwhile stays.
_ANSWERED = "retake = nullif(retake, %s::bigint[]), refill = nullif(refill, %s::text[])"

_SAME_KEY = "key = %(key)s AND id <> %(id)s AND store = (SELECT store FROM ledger.drops WHERE id = %(id)s)"


@dataclass(frozen=True)
class Found:
    """An object of the landing area as listed. `problem` says why no contract can take it, if none can.

    It is read `settle` after it was entered at the earliest. `partition_end` is the first day after its partition.
    """

    dataset: str
    partition: str
    key: str
    version: str
    size: int
    modified_at: datetime
    problem: str | None = None
    partition_end: date | None = None
    settle: timedelta = timedelta(0)


@dataclass(frozen=True)
class Drop:
    """A drop as claimed by this worker: `claim` is the token its outcome must be written with."""

    id: int
    dataset: str
    partition: str
    key: str
    version: str
    size: int
    modified_at: datetime
    attempts: int
    claim: UUID
    state: State
    cleaned_key: str | None
    #: What somebody asked to be taken again: these lines of those set aside, or all of it where empty; None: nothing.
    retake: list[int] | None = None
    #: Columns that somebody asked to have filled in from what was rescued; None: nothing.
    refill: list[str] | None = None

    @property
    def asked_for(self) -> Literal["released", "filled"] | None:
        """What somebody wants done with it as it lies there; None where it is to be taken whole."""
        if self.retake is not None:
            return "released" if self.retake else None
        return "filled" if self.refill is not None else None

    @property
    def is_redone(self) -> bool:
        """True where the drop was settled before: its rows stay visible until the new ones replace them."""
        return self.state != "claimed"


@dataclass(frozen=True)
class Outcome:
    """What became of a drop. `read = loaded + quarantined + duplicate`; the database refuses anything else."""

    state: State
    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    duplicate: int = 0
    format: dict[str, Any] | None = None
    schema_change: dict[str, Any] | None = None
    contract_version: str | None = None
    cleaned_key: str | None = None
    message: str | None = None


class ClaimLost(Exception):
    """Another worker has taken the drop; whatever this one did is rolled back."""


class NotDone(Exception):
    """What somebody asked for cannot be done to a loaded drop now. Nothing of it has changed; the message says why."""


def register(connection: Connection, store: str, found: Iterable[Found]) -> int:
    """Enter objects not seen before in this version; returns how many. Entering one twice is a no-op.

    An object no contract could take is entered as `failed`; once a contract fits, it becomes `discovered`. A version
    that another one had replaced, or that was gone, and is there again, is entered once more: stores that name versions
    by content give old bytes their old name. Ten such entries are the end where the object is not seen to be written
    again, so that a store whose listings and reads disagree cannot fill the ledger.
    """
    rows = list(found)
    columns = [[getattr(row, name) for row in rows] for name in Found.__dataclass_fields__]
    with connection.transaction():
        cursor = connection.execute(
            """
            WITH listed AS (
                SELECT DISTINCT ON (key, version) * FROM unnest(
                    %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[],
                    %s::date[], %s::interval[]
                ) AS listed (dataset, partition, key, version, size, modified_at, problem, partition_end, settle)
            ), entered AS (
                INSERT INTO ledger.drops AS d
                    (store, dataset, partition, key, version, size, modified_at, state, message, partition_end,
                     not_before, occurrence)
                SELECT %s, listed.dataset, listed.partition, key, version, listed.size, listed.modified_at,
                       CASE WHEN problem IS NULL THEN 'discovered' ELSE 'failed' END, problem, listed.partition_end,
                       clock_timestamp() + settle, coalesce(known.occurrence + known.has_returned::int, 1)
                FROM listed LEFT JOIN LATERAL (
                    SELECT occurrence, state = 'failed' AND settled_at IS NULL AND discarded_at IS NULL AS is_refused,
                           state IN ('superseded', 'missing')
                           AND (drops.modified_at <> listed.modified_at OR occurrence < 10) AS has_returned
                    FROM ledger.drops
                    WHERE store = %s AND drops.key = listed.key AND drops.version = listed.version
                    ORDER BY occurrence DESC LIMIT 1
                ) known ON true
                WHERE known IS NULL OR has_returned OR (is_refused AND problem IS NULL)
                ORDER BY key
                ON CONFLICT (store, key, version, occurrence) DO UPDATE
                    SET state = 'discovered', message = NULL, partition_end = excluded.partition_end,
                        not_before = excluded.not_before
                    WHERE d.state = 'failed' AND d.settled_at IS NULL AND excluded.state = 'discovered'
                RETURNING id, state, message
            )
            INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, message FROM entered
            """,
            [*columns, store, store],
        )
    return cursor.rowcount


def claim_next(
    connection: Connection,
    store: str,
    dataset: str,
    partitions: Sequence[str],
    run_id: str,
    redo_before: datetime | None = None,
) -> Drop | None:
    """Take the first drop of these partitions that is due and that no living worker holds; None when there is none.

    Those pending come first, then those somebody asked to be taken again, then with `redo_before` those settled before
    that time. The rows of a drop taken again stay visible until replaced. What was discarded as a whole stays so.
    """
    sought = {
        "lease": LEASE, "run_id": run_id, "store": store, "dataset": dataset, "partitions": list(partitions),
        "redo_before": redo_before,
    }  # fmt: skip
    for which in (_PENDING, _ASKED_FOR, _TO_FILL, *([_SETTLED_BEFORE] if redo_before else [])):
        if drop := _claim_one(connection, which, sought):
            return drop
    return None


def _claim_one(connection: Connection, which: str, sought: dict[str, Any]) -> Drop | None:
    """The order is that of the index of pending drops, so that a long backlog is not sorted for each of its drops.

    Nor is the statement prepared: planned for any values, Postgres takes another index and sorts the partition.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(Drop)) as cursor:
        cursor.execute(
            f"""
            UPDATE ledger.drops
            SET claim = %(claim)s, claim_expires_at = now() + %(lease)s, attempts = attempts + 1, run_id = %(run_id)s,
                claim_backend = (SELECT pid || ' ' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
                state = CASE WHEN state = 'discovered' THEN 'claimed' ELSE state END
            WHERE id = (
                SELECT id FROM ledger.drops
                WHERE {which}
                  AND store = %(store)s AND dataset = %(dataset)s AND partition = ANY(%(partitions)s)
                  AND not_before <= clock_timestamp() AND attempts < {MOST_ATTEMPTS}
                  AND (claim IS NULL OR {_HOLDER_IS_GONE})
                ORDER BY partition, id LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            RETURNING id, dataset, partition, key, size, modified_at, attempts, claim, state, cleaned_key, retake,
                refill, coalesce((
                    SELECT same.version FROM ledger.drops same
                    WHERE same.store = drops.store AND same.key = drops.key AND same.state = 'duplicate'
                      AND same.id > drops.id AND same.sha256 = drops.sha256 ORDER BY same.id DESC LIMIT 1
                ), version) AS version
            """,
            sought | {"claim": uuid4()},
            prepare=False,
        )
        drop = cursor.fetchone()
        if drop:
            _event(connection, drop.id, "claimed", sought["run_id"], None)
    return drop


def hold(connection: Connection, drop: Drop) -> None:
    """Lock the drop's row until the transaction ends. Raises ClaimLost where another worker has taken it."""
    held = connection.execute(
        "SELECT FROM ledger.drops WHERE id = %s AND claim = %s FOR UPDATE", [drop.id, drop.claim]
    ).rowcount
    if not held:
        raise ClaimLost(f"drop {drop.id} ({drop.key}) is held by another worker now")


def settle(connection: Connection, drop: Drop, outcome: Outcome, run_id: str, sha256: str | None = None) -> None:
    """Write the end of a held drop inside the caller's transaction."""
    connection.execute(
        f"""
        UPDATE ledger.drops
        SET state = %s, rows_read = %s, rows_loaded = %s, rows_quarantined = %s, rows_duplicate = %s,
            sha256 = coalesce(%s, sha256), format = %s, schema_change = %s, contract_version = %s, cleaned_key = %s,
            message = %s, run_id = %s, settled_at = clock_timestamp(), attempts = 0, {_FREE}, {_ANSWERED}
        WHERE id = %s
        """,
        [
            outcome.state, outcome.read, outcome.loaded, outcome.quarantined, outcome.duplicate,
            sha256, Jsonb(outcome.format or {}), Jsonb(outcome.schema_change or {}), outcome.contract_version,
            outcome.cleaned_key, outcome.message, run_id, drop.retake, drop.refill, drop.id,
        ],
    )  # fmt: skip
    _event(connection, drop.id, outcome.state, run_id, outcome.message)


def amend(connection: Connection, drop: Drop, outcome: Outcome, run_id: str) -> None:
    """Write what a release changed of a held drop inside the caller's transaction: its counts and its cleaned file."""
    connection.execute(
        f"""
        UPDATE ledger.drops
        SET rows_loaded = %s, rows_quarantined = %s, rows_duplicate = %s, cleaned_key = %s, message = %s, run_id = %s,
            attempts = 0, {_FREE}, retake = nullif(retake, %s::bigint[])
        WHERE id = %s
        """,
        [
            outcome.loaded, outcome.quarantined, outcome.duplicate, outcome.cleaned_key, outcome.message, run_id,
            drop.retake, drop.id,
        ],
    )  # fmt: skip
    _event(connection, drop.id, outcome.state, run_id, outcome.message)


def refilled(
    connection: Connection, drop: Drop, cleaned_key: str | None, change: Mapping[str, Any], message: str, run_id: str
) -> None:
    """Write what filling in columns changed of a held drop inside the caller's transaction: no row came or went."""
    connection.execute(
        f"""
        UPDATE ledger.drops
        SET cleaned_key = %s, schema_change = %s, message = %s, run_id = %s,
            attempts = 0, {_FREE}, refill = nullif(refill, %s::text[])
        WHERE id = %s
        """,
        [cleaned_key, Jsonb(change), message, run_id, drop.refill, drop.id],
    )
    _event(connection, drop.id, drop.state, run_id, message)


def put_back(connection: Connection, drop: Drop, run_id: str, message: str, wait: timedelta) -> None:
    """Give up the claim so that the drop is tried again after `wait`. A drop that was being redone stays as it was."""
    with connection.transaction():
        hold(connection, drop)
        connection.execute(
            f"""
            UPDATE ledger.drops
            SET state = CASE WHEN state = 'claimed' THEN 'discovered' ELSE state END, message = %s,
                not_before = clock_timestamp() + %s, {_FREE}
            WHERE id = %s
            """,
            [message, wait, drop.id],
        )
        _event(connection, drop.id, "discovered", run_id, message)


def give_back(connection: Connection, drop: Drop, run_id: str, message: str, wait: timedelta) -> None:
    """Give up the claim as though the drop had not been claimed, to be taken after `wait`; a no-op where it is lost."""
    with connection.transaction():
        given = connection.execute(
            f"""
            UPDATE ledger.drops
            SET state = CASE WHEN state = 'claimed' THEN 'discovered' ELSE state END, message = %s,
                not_before = clock_timestamp() + %s, attempts = greatest(attempts - 1, 0), {_FREE}
            WHERE id = %s AND claim = %s RETURNING state
            """,
            [message, wait, drop.id, drop.claim],
        ).fetchone()
        if given:
            _event(connection, drop.id, given[0], run_id, message)


def lock_key(connection: Connection, drop: Drop, sha256: str) -> bool:
    """Keep other versions of the drop's key waiting until the transaction ends; False if newer bytes are in force."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [drop.key])
    newer = connection.execute(
        f"""
        SELECT FROM ledger.drops
        WHERE {_SAME_KEY} AND id > %(id)s AND state IN ('loaded', 'duplicate') AND sha256 <> %(sha256)s
        """,
        {"id": drop.id, "key": drop.key, "sha256": sha256},
    )
    return newer.rowcount == 0


def supersede(connection: Connection, drop: Drop, run_id: str) -> list[tuple[int, str | None]]:
    """Mark older versions of the drop's key as replaced by it; returns their ids and their cleaned files' keys.

    Drops of the partition that were skipped for having the bytes of a replaced one are pending again.
    """
    replaced = connection.execute(
        f"""
        UPDATE ledger.drops SET state = 'superseded', superseded_by = %(id)s, settled_at = clock_timestamp()
        WHERE {_SAME_KEY} AND id < %(id)s AND state IN ('discovered', 'loaded', 'quarantined', 'duplicate', 'failed')
        RETURNING id, cleaned_key
        """,
        {"id": drop.id, "key": drop.key},
    ).fetchall()
    for old_id, _ in replaced:
        _event(connection, old_id, "superseded", run_id, f"replaced by drop {drop.id}, a newer version of {drop.key}")
    if replaced:
        _take_up_copies(connection, drop, run_id, [old_id for old_id, _ in replaced])
    return replaced


def _take_up_copies(connection: Connection, drop: Drop, run_id: str, replaced: Sequence[int]) -> None:
    copies = connection.execute(
        """
        UPDATE ledger.drops SET state = 'discovered', not_before = clock_timestamp(), settled_at = NULL
        WHERE sha256 IN (SELECT sha256 FROM ledger.drops WHERE id = ANY(%(replaced)s)) AND state = 'duplicate'
          AND dataset = %(dataset)s AND partition = %(partition)s AND key <> %(key)s
          AND store = (SELECT store FROM ledger.drops WHERE id = %(id)s)
        RETURNING id
        """,
        {
            "replaced": list(replaced), "dataset": drop.dataset, "partition": drop.partition,
            "key": drop.key, "id": drop.id,
        },
    ).fetchall()  # fmt: skip
    for (copy,) in copies:
        _event(connection, copy, "discovered", run_id, "what it was a copy of has been replaced")


def keep(connection: Connection, drop: Drop, run_id: str, message: str) -> None:
    """End a redo or release that could not be done: the drop and its rows stay as they were, the reason is recorded."""
    with connection.transaction():
        hold(connection, drop)
        connection.execute(
            f"""
            UPDATE ledger.drops
            SET settled_at = clock_timestamp(), message = %s, attempts = 0, {_FREE}, {_ANSWERED}
            WHERE id = %s
            """,
            [message, drop.retake, drop.refill, drop.id],
        )
        _event(connection, drop.id, drop.state, run_id, message)


def give_up(connection: Connection, store: str, dataset: str, partitions: Sequence[str]) -> None:
    """Mark as failed the drops that too many workers died on, so that one poisonous file cannot stop the rest.

    Where one was settled before, and many died on taking it again, it stays as it was and the asking ends.
    """
    given_up = connection.execute(
        f"""
        UPDATE ledger.drops SET state = 'failed', claim = NULL, settled_at = clock_timestamp(),
            message = 'given up after {MOST_ATTEMPTS} attempts without a result; look at the runs that took it'
        WHERE store = %s AND dataset = %s AND partition = ANY(%s) AND state IN ('discovered', 'claimed')
          AND attempts >= {MOST_ATTEMPTS} AND (claim IS NULL OR {_HOLDER_IS_GONE})
        RETURNING id, state, message
        """,
        [store, dataset, list(partitions)],
    ).fetchall()
    given_up += connection.execute(
        f"""
        UPDATE ledger.drops SET retake = NULL, refill = NULL, claim = NULL, attempts = 0,
            message = 'not taken again: given up after {MOST_ATTEMPTS} attempts; look at the runs that took it'
        WHERE store = %s AND dataset = %s AND partition = ANY(%s) AND state NOT IN ('discovered', 'claimed')
          AND attempts >= {MOST_ATTEMPTS} AND (claim IS NULL OR {_HOLDER_IS_GONE})
        RETURNING id, state, message
        """,
        [store, dataset, list(partitions)],
    ).fetchall()
    for drop_id, state, message in given_up:
        _event(connection, drop_id, state, None, message)


def same_content(connection: Connection, drop: Drop, sha256: str) -> int | None:
    """The drop whose rows are in force under the same key with the same bytes, if there is one."""
    found = connection.execute(
        f"SELECT id FROM ledger.drops WHERE {_SAME_KEY} AND state IN ('loaded', 'quarantined') AND sha256 = %(sha256)s",
        {"id": drop.id, "key": drop.key, "sha256": sha256},
    ).fetchone()
    return found[0] if found else None


def pending(connection: Connection, store: str) -> list[tuple[str, str, int, int]]:
    """Dataset, partition, number of drops waiting and the newest one's id, of drops no living worker holds.

    Drops that somebody asked for again wait too. Those due later than a run would wait for (LONGEST_WAIT) don't yet.
    """
    return connection.execute(
        f"""
        SELECT dataset, partition, count(*), max(id) FROM ledger.drops
        WHERE store = %s AND ({_PENDING} OR {_ASKED_FOR} OR {_TO_FILL}) AND not_before <= clock_timestamp() + %s
          AND (claim IS NULL OR {_HOLDER_IS_GONE})
        GROUP BY dataset, partition ORDER BY dataset, partition
        """,
        [store, LONGEST_WAIT],
    ).fetchall()


def same_bytes_elsewhere(connection: Connection, drop: Drop, sha256: str) -> int | None:
    """The drop of the partition whose rows are in force with the same bytes under another key, if there is one.

    Drops with the same bytes wait for each other until the transaction ends, so two cannot both be the first.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))", [f"{drop.dataset}/{sha256}"])
    found = connection.execute(
        """
        SELECT min(id) FROM ledger.drops
        WHERE sha256 = %s AND dataset = %s AND partition = %s AND key <> %s AND state = 'loaded'
          AND store = (SELECT store FROM ledger.drops WHERE id = %s)
        """,
        [sha256, drop.dataset, drop.partition, drop.key, drop.id],
    ).fetchone()
    return found[0] if found else None


def now(connection: Connection) -> datetime:
    """The database's clock, the only one that the ledger's times are compared with."""
    moment: datetime
    ((moment,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    return moment


def next_due(connection: Connection, store: str, dataset: str, partitions: Sequence[str]) -> datetime | None:
    """When the first drop that was put back may be tried again."""
    row = connection.execute(
        f"""
        SELECT min(not_before) FROM ledger.drops
        WHERE store = %s AND dataset = %s AND partition = ANY(%s)
          AND (state = 'discovered' OR retake IS NOT NULL OR {_TO_FILL}) AND claim IS NULL
        """,
        [store, dataset, list(partitions)],
    ).fetchone()
    return row[0] if row else None


def inventory(connection: Connection, store: str, dataset: str, partitions: Sequence[str]) -> list[dict[str, Any]]:
    """Every drop of these partitions, oldest first, as dictionaries of the ledger's columns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT * FROM ledger.drops WHERE store = %s AND dataset = %s AND partition = ANY(%s) ORDER BY id",
            [store, dataset, list(partitions)],
        ).fetchall()


def _event(connection: Connection, drop_id: int, state: str, run_id: str | None, message: str | None) -> None:
    connection.execute(
        "INSERT INTO ledger.events (drop_id, state, run_id, message) VALUES (%s, %s, %s, %s)",
        [drop_id, state, run_id, message],
    )
