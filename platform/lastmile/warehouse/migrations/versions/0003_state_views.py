"""Views of the state of drops: what exists, the backlog, lateness, and quarantined rows awaiting a decision."""

from alembic import op

revision = "0003"
down_revision = "0002"

#: Drops registered before `partition_end` existed; a key of another form was refused and has none.
PARTITION_ENDS = r"""
UPDATE ledger.drops SET partition_end = CASE
    WHEN partition ~ '^\d{4}$' THEN (partition || '-01-01')::date + interval '1 year'
    WHEN partition ~ '^\d{4}-(0[1-9]|1[0-2])$' THEN (partition || '-01')::date + interval '1 month'
    ELSE (left(partition, 7) || '-01')::date + right(partition, 2)::int
END
WHERE partition_end IS NULL AND partition >= '0001'
  AND partition ~ '^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$'
"""

LATENESS = """
ALTER TABLE ledger.drops ADD appeared_at timestamptz GENERATED ALWAYS AS (least(discovered_at, modified_at)) STORED;
ALTER TABLE ledger.drops ADD lateness_seconds double precision GENERATED ALWAYS AS (greatest(0, extract(epoch FROM
    least(discovered_at, modified_at) - partition_end::timestamp AT TIME ZONE 'UTC'))) STORED;

COMMENT ON COLUMN ledger.drops.appeared_at IS 'when its object was written by the store''s clock, or found by ours,'
    ' whichever was earlier: time without discovery makes no drop late';
COMMENT ON COLUMN ledger.drops.lateness_seconds IS 'from the end of its partition (midnight UTC) to appeared_at, 0'
    ' where it came in time; a new version of an object is measured on its own';

CREATE VIEW ledger.lateness AS
SELECT id AS drop_id, store, dataset, partition, key, state, partition_end, appeared_at, lateness_seconds
FROM ledger.drops WHERE lateness_seconds > 0;

COMMENT ON VIEW ledger.lateness IS 'drops that arrived after their partition had ended, and how long after';
"""

STATE = """
-- Whole rows are wide; with this index a look at 100,000 drops need not read them.
CREATE INDEX drops_at_a_glance ON ledger.drops (store, dataset, partition, state) INCLUDE (
    size, rows_read, rows_loaded, rows_quarantined, rows_duplicate,
    appeared_at, lateness_seconds, removed_at, discarded_at);

CREATE VIEW ledger.state AS
SELECT store, dataset, partition, state,
    count(*) AS drops,
    sum(size)::bigint AS bytes,
    sum(rows_read)::bigint AS rows_read,
    sum(rows_loaded)::bigint AS rows_loaded,
    sum(rows_quarantined)::bigint AS rows_quarantined,
    sum(rows_duplicate)::bigint AS rows_duplicate,
    count(removed_at) AS removed,
    count(*) FILTER (WHERE lateness_seconds > 0) AS late,
    max(lateness_seconds) AS lateness_seconds,
    max(appeared_at) AS newest_at,
    count(*) FILTER (WHERE state IN ('quarantined', 'failed', 'missing') AND discarded_at IS NULL) AS undecided_drops,
    coalesce(sum(rows_quarantined) FILTER (WHERE state = 'loaded'), 0)::bigint - coalesce(max(discarded_rows), 0)
        AS undecided_rows
FROM ledger.drops LEFT JOIN (
    SELECT store, d.dataset, d.partition, state, count(*) AS discarded_rows
    FROM quarantine.discarded JOIN quarantine.rows r USING (drop_id, line) JOIN ledger.drops d ON d.id = drop_id
    WHERE kind = 'bad' AND state = 'loaded'
    GROUP BY store, d.dataset, d.partition, state
) AS decided USING (store, dataset, partition, state)
GROUP BY store, dataset, partition, state;

COMMENT ON VIEW ledger.state IS 'drops, bytes and rows by dataset, partition and state; rows of drops that are loaded'
    ' or quarantined are current, those of other states are not';
COMMENT ON COLUMN ledger.state.removed IS 'drops whose object clean-up has removed from the landing area';
COMMENT ON COLUMN ledger.state.late IS 'drops that appeared after their partition had ended';
COMMENT ON COLUMN ledger.state.lateness_seconds IS 'how late the latest of them was; null where unknown';
COMMENT ON COLUMN ledger.state.newest_at IS 'when the newest of the drops appeared';
COMMENT ON COLUMN ledger.state.undecided_drops IS 'drops quarantined as a whole, neither released nor discarded yet';
COMMENT ON COLUMN ledger.state.undecided_rows IS
    'quarantined rows of drops whose other rows are loaded, neither released nor discarded yet';
"""

BACKLOG = """
CREATE VIEW ledger.backlog AS
SELECT store, dataset, partition,
    count(*) AS waiting,
    count(*) FILTER (WHERE state = 'claimed') AS claimed,
    extract(epoch FROM now() - min(discovered_at))::double precision AS oldest_seconds
FROM ledger.drops WHERE state IN ('discovered', 'claimed') GROUP BY store, dataset, partition;

COMMENT ON VIEW ledger.backlog IS 'drops discovered and not yet settled; a partition without any has no row';
COMMENT ON COLUMN ledger.backlog.waiting IS 'drops waiting, including those being ingested now';
COMMENT ON COLUMN ledger.backlog.claimed IS 'of which are claimed by a worker';
COMMENT ON COLUMN ledger.backlog.oldest_seconds IS 'lag: how long ago the oldest of them was discovered';
"""


def upgrade() -> None:
    for statements in (PARTITION_ENDS, LATENESS, STATE, BACKLOG):
        op.execute(statements.replace(":", r"\:"))


def downgrade() -> None:
    for view in ("ledger.backlog", "ledger.state", "ledger.lateness"):
        op.execute(f"DROP VIEW {view}")
    op.execute("DROP INDEX ledger.drops_at_a_glance")
    op.execute("ALTER TABLE ledger.drops DROP appeared_at, DROP lateness_seconds")
