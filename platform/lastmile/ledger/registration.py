"""Registering drops: an object found by a listing or a notification becomes a row, once for each of its versions."""

from collections.abc import Iterable, Sequence

from psycopg import Connection

from lastmile.ledger.claims import FREE, HOLDER_IS_GONE
from lastmile.ledger.drops import ListedDrop
from lastmile.telemetry.spans import span


def register(connection: Connection, store: str, found: Iterable[ListedDrop]) -> int:
    """Register objects not seen before in this version; returns how many. Registering one twice is a no-op.

    An object no contract fits is registered as `failed`; once a contract fits, it becomes `discovered`. A version
    that another one had replaced, or that was gone, and is there again, is registered once more: stores that name
    versions by content give old bytes their old name. Ten such entries are the end where the object is not seen to be
    written again, so that a store whose listings and reads disagree cannot fill the ledger.
    """
    rows = list(found)
    columns = [[getattr(row, name) for row in rows] for name in ListedDrop.__dataclass_fields__]
    with span("db.register", drops=len(rows)), connection.transaction():
        cursor = connection.execute(
            """
            WITH listed AS (
                SELECT DISTINCT ON (key, version) * FROM unnest(
                    %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[],
                    %s::date[], %s::interval[], %s::text[]
                ) AS listed
                    (dataset, partition, key, version, size, modified_at, problem, partition_end, settle, traceparent)
            ), entered AS (
                INSERT INTO ledger.drops AS d
                    (store, dataset, partition, key, version, size, modified_at, state, message, partition_end,
                     not_before, occurrence, traceparent)
                SELECT %s, listed.dataset, listed.partition, key, version, listed.size, listed.modified_at,
                       CASE WHEN problem IS NULL THEN 'discovered' ELSE 'failed' END, problem, listed.partition_end,
                       clock_timestamp() + settle, coalesce(known.occurrence + known.has_returned::int, 1),
                       listed.traceparent
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


def refuse(connection: Connection, store: str, dataset: str, partition: str, problem: str) -> int:
    """Refuse what waits in a place that no contract has any more; returns how many drops that were.

    New ones become `failed`, as though they had never fitted, and `discovered` again once a contract fits. Requests on
    settled ones end; their rows stay.
    """
    cursor = connection.execute(
        f"""
        WITH refused AS (
            UPDATE ledger.drops
            SET state = CASE WHEN state IN ('discovered', 'claimed') THEN 'failed' ELSE state END,
                message = %(problem)s, attempts = 0, retake = NULL, refill = NULL, {FREE}
            WHERE store = %(store)s AND dataset = %(dataset)s AND partition = %(partition)s
              AND (state IN ('discovered', 'claimed') OR retake IS NOT NULL OR refill IS NOT NULL)
              AND (claim IS NULL OR {HOLDER_IS_GONE})
            RETURNING id, state, message
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, message FROM refused
        """,
        {"store": store, "dataset": dataset, "partition": partition, "problem": problem},
    )
    return cursor.rowcount


def unsettled(connection: Connection, store: str, versions: Sequence[tuple[str, str]]) -> dict[int, bool]:
    """Positions of those keys and versions that `register` or `record_back` may have something to do about, and whether
    each becomes a new drop.

    Most of a listing is known already: this looks it up with no more than its names.
    """
    keys, named = ([pair[part] for pair in versions] for part in (0, 1))
    found = connection.execute(
        """
        SELECT place - 1, known.id IS NULL OR known.state IN ('superseded', 'missing')
        FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS listed (key, version, place)
        LEFT JOIN ledger.drops known
            ON known.store = %s AND known.key = listed.key AND known.version = listed.version
        WHERE known.id IS NULL OR known.state IN ('superseded', 'missing', 'failed')
           OR known.gone_at IS NOT NULL OR known.removed_at IS NOT NULL
        """,
        [keys, named, store],
        prepare=False,
    )
    return dict(found.fetchall())
