"""A drop is late only for a partition that was still open when its dataset's first drop appeared.

What is for earlier partitions is history: it was there before anybody could send it here. Its `lateness_seconds` is
measured all the same.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

#: The end of its partition, of a late drop: so the index `drops_at_a_glance` has all that the view needs.
_LATE = "lateness_seconds > 0 AND appeared_at - lateness_seconds * interval '1 second' > began"
_BEGAN = "(SELECT store, dataset, min(appeared_at) AS began FROM ledger.drops GROUP BY store, dataset) AS history"

LATENESS = f"""
CREATE OR REPLACE VIEW ledger.lateness AS
SELECT id AS drop_id, store, dataset, partition, key, state, partition_end, appeared_at, lateness_seconds
FROM ledger.drops JOIN {_BEGAN} USING (store, dataset) WHERE {{late}};

COMMENT ON VIEW ledger.lateness IS 'drops that arrived after their partition had ended, and how long after; those for'
    ' partitions that had ended before the first drop of their dataset appeared are history and not late';
"""

STATE = f"""
CREATE OR REPLACE VIEW ledger.state AS
SELECT store, dataset, partition, state,
    count(*) AS drops,
    sum(size)::bigint AS bytes,
    sum(rows_read)::bigint AS rows_read,
    sum(rows_loaded)::bigint AS rows_loaded,
    sum(rows_quarantined)::bigint AS rows_quarantined,
    sum(rows_duplicate)::bigint AS rows_duplicate,
    count(removed_at) AS removed,
    count(*) FILTER (WHERE {{late}}) AS late,
    max(lateness_seconds) FILTER (WHERE {{late}}) AS lateness_seconds,
    max(appeared_at) AS newest_at,
    count(*) FILTER (WHERE state IN ('quarantined', 'failed', 'missing') AND discarded_at IS NULL) AS undecided_drops,
    coalesce(sum(rows_quarantined) FILTER (WHERE state = 'loaded'), 0)::bigint - coalesce(max(discarded_rows), 0)
        AS undecided_rows
FROM ledger.drops JOIN {_BEGAN} USING (store, dataset) LEFT JOIN (
    SELECT store, d.dataset, d.partition, state, count(*) AS discarded_rows
    FROM quarantine.discarded JOIN quarantine.rows r USING (drop_id, line) JOIN ledger.drops d ON d.id = drop_id
    WHERE kind = 'bad' AND state = 'loaded'
    GROUP BY store, d.dataset, d.partition, state
) AS decided USING (store, dataset, partition, state)
GROUP BY store, dataset, partition, state;

COMMENT ON COLUMN ledger.state.late IS 'drops that appeared after their partition had ended, history left out';
"""


def upgrade() -> None:
    for statements in (LATENESS, STATE):
        op.execute(statements.format(late=_LATE).replace(":", r"\:"))


def downgrade() -> None:
    for statements in (LATENESS, STATE):
        op.execute(statements.format(late="lateness_seconds > 0").replace(":", r"\:"))
