"""The books, checked against the tables: what the ledger says was loaded or set aside is what is there.

The rule: for every drop, rows read = loaded + quarantined + duplicate, and a drop's rows are visible exactly when its
ledger row says `loaded`.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection, sql


def violations(connection: Connection, dataset: str, partitions: Sequence[str] | None = None) -> list[str]:
    """One sentence per drop of the dataset whose rows and ledger disagree; empty when the books are right.

    `partitions` narrows it to some; None means all. The dataset's table must exist.
    """
    rows = connection.execute(
        sql.SQL(
            """
            WITH visible AS (SELECT _drop_id AS id, count(*) AS rows FROM {table} GROUP BY _drop_id),
            aside AS (
                SELECT drop_id AS id, count(*) FILTER (WHERE kind = 'bad') AS bad,
                       count(*) FILTER (WHERE kind = 'duplicate') AS duplicate
                FROM quarantine.rows WHERE dataset = %(dataset)s GROUP BY drop_id
            ),
            books AS (
                SELECT d.*, coalesce(visible.rows, 0) AS visible, coalesce(bad, 0) AS bad,
                       coalesce(duplicate, 0) AS duplicate
                FROM ledger.drops d LEFT JOIN visible USING (id) LEFT JOIN aside USING (id)
                WHERE d.dataset = %(dataset)s
            )
            SELECT format('drop %%s (%%s): %%s', id, key, concat_ws('; ',
                CASE WHEN rows_read <> rows_loaded + rows_quarantined + rows_duplicate
                     THEN 'its counts do not add up' END,
                CASE WHEN state = 'loaded' AND visible <> rows_loaded
                     THEN format('ledger says %%s rows loaded, %%s are visible', rows_loaded, visible) END,
                CASE WHEN state <> 'loaded' AND visible > 0
                     THEN format('is %%s, yet %%s rows are visible', state, visible) END,
                CASE WHEN state = 'loaded' AND (bad <> rows_quarantined OR duplicate <> rows_duplicate)
                     THEN format('ledger says %%s quarantined and %%s duplicate, %%s and %%s are set aside',
                                 rows_quarantined, rows_duplicate, bad, duplicate) END))
            FROM books
            WHERE (%(partitions)s::text[] IS NULL OR partition = ANY(%(partitions)s)) AND (
                rows_read <> rows_loaded + rows_quarantined + rows_duplicate
                OR visible <> CASE WHEN state = 'loaded' THEN rows_loaded ELSE 0 END
                OR (state = 'loaded' AND (bad <> rows_quarantined OR duplicate <> rows_duplicate)))
            UNION ALL
            SELECT format('%%s rows name drop %%s, which the ledger does not have', rows, id)
            FROM visible
            WHERE NOT EXISTS (SELECT FROM ledger.drops d WHERE d.id = visible.id AND d.dataset = %(dataset)s)
            """
        ).format(table=sql.Identifier("raw", dataset)),
        {"dataset": dataset, "partitions": None if partitions is None else list(partitions)},
    ).fetchall()
    return [sentence for (sentence,) in rows]


def discarded_rows(connection: Connection, store: str, dataset: str, partition: str) -> int:
    """Rows set aside of the drops in force that somebody decided not to want."""
    row = connection.execute(
        """
        SELECT count(*) FROM quarantine.rows r JOIN ledger.drops d ON d.id = r.drop_id
        WHERE d.store = %s AND r.dataset = %s AND r.partition = %s AND d.state IN ('loaded', 'quarantined')
          AND (d.discarded_at IS NOT NULL OR EXISTS (
              SELECT FROM quarantine.discarded unwanted WHERE unwanted.drop_id = r.drop_id AND unwanted.line = r.line))
        """,
        [store, dataset, partition],
    ).fetchone()
    return int(row[0]) if row else 0


def newest_drop(connection: Connection, store: str, dataset: str) -> datetime | None:
    """When the newest drop of the dataset was put into the landing area."""
    row = connection.execute(
        "SELECT max(modified_at) FROM ledger.drops WHERE store = %s AND dataset = %s", [store, dataset]
    ).fetchone()
    return row[0] if row else None
