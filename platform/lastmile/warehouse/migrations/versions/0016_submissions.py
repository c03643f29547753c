"""Records and files submitted over HTTP, until they are drops, and the jobs by which they are followed."""

from alembic import op

revision = "0016"
down_revision = "0015"

JOBS = """
CREATE SCHEMA submissions;
CREATE TABLE submissions.jobs (
    id              uuid        PRIMARY KEY,
    place           bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind            text        NOT NULL CHECK (kind IN ('records', 'file', 'form')),
    dataset         text        NOT NULL,
    partition       text        NOT NULL,
    principal       text        NOT NULL,
    idempotency_key text,
    fingerprint     bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    records         bigint      NOT NULL DEFAULT 0,
    bytes           bigint      NOT NULL DEFAULT 0,
    repeated        bigint[]    NOT NULL DEFAULT '{}',
    store           text,
    key             text,
    version         text,
    sha256          text,
    UNIQUE (principal, idempotency_key)
);
CREATE INDEX jobs_of_principal ON submissions.jobs (principal, place);
CREATE INDEX jobs_of_dataset ON submissions.jobs (dataset, place);
COMMENT ON COLUMN submissions.jobs.place IS 'order of acceptance';
COMMENT ON COLUMN submissions.jobs.fingerprint IS 'of the request: the same idempotency key with another is refused';
COMMENT ON COLUMN submissions.jobs.repeated IS 'ids of records that were submitted before with the same content';
COMMENT ON COLUMN submissions.jobs.key IS 'of a file; with its version once it has landed';
"""

RECORDS = """
CREATE TABLE submissions.objects (
    key        text    PRIMARY KEY,
    store      text    NOT NULL,
    dataset    text    NOT NULL,
    partition  text    NOT NULL,
    generation int     NOT NULL DEFAULT 1,
    written    int     NOT NULL DEFAULT 0,
    version    text,
    sha256     text
);
CREATE INDEX objects_to_write ON submissions.objects (key) WHERE written < generation;
COMMENT ON TABLE submissions.objects IS 'drops that records are gathered into';
COMMENT ON COLUMN submissions.objects.written IS 'the generation of its records that the object in the store has';

CREATE TABLE submissions.records (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job         uuid        NOT NULL REFERENCES submissions.jobs,
    dataset     text        NOT NULL,
    partition   text        NOT NULL,
    record      text        NOT NULL,
    revision    bigint,
    rank        bigint,
    digest      bytea       NOT NULL,
    body        text        NOT NULL,
    parent      text,
    set_of      bigint      REFERENCES submissions.records,
    withdrawn   boolean     NOT NULL DEFAULT false,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    waiting     boolean     NOT NULL DEFAULT true,
    in_force    boolean     NOT NULL DEFAULT false,
    object      text        REFERENCES submissions.objects,
    line        bigint,
    UNIQUE (dataset, record, digest)
);
CREATE INDEX records_waiting ON submissions.records (id) WHERE waiting;
CREATE INDEX records_of_job ON submissions.records (job, id);
CREATE INDEX records_of_object ON submissions.records (object, line) WHERE object IS NOT NULL;
CREATE INDEX records_of_set ON submissions.records (set_of) WHERE set_of IS NOT NULL;
CREATE UNIQUE INDEX one_in_force ON submissions.records (dataset, record) WHERE in_force;
COMMENT ON COLUMN submissions.records.record IS 'the client''s own id of what it describes; an edit is another row';
COMMENT ON COLUMN submissions.records.body IS 'JSON as it was sent, so that numbers keep their digits';
COMMENT ON COLUMN submissions.records.rank IS
    'its revision, or if it has none the highest before it; set once it is in force';
COMMENT ON COLUMN submissions.records.set_of IS
    'the row of the record that it came with: it is in force as long as that is';
COMMENT ON COLUMN submissions.records.in_force IS 'the newest revision, which its object has, unless it is withdrawn';
"""

UPLOADS = """
CREATE TABLE submissions.uploads (
    id         uuid        PRIMARY KEY,
    dataset    text        NOT NULL,
    partition  text        NOT NULL,
    key        text        NOT NULL,
    principal  text        NOT NULL,
    length     bigint      NOT NULL,
    metadata   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    landed_at  timestamptz
);
CREATE INDEX uploads_by_end ON submissions.uploads (expires_at);
COMMENT ON TABLE submissions.uploads IS 'files that arrive piece by piece; the pieces are objects below uploads/';
"""

#: A drop is found by version, or by content: written again after a crash, an object has the same bytes under another.
_DROP = """
    LEFT JOIN LATERAL (
        SELECT id, state, run_id, message, rows_read, rows_loaded, rows_quarantined, rows_duplicate, settled_at
        FROM ledger.drops d
        WHERE d.store = o.store AND d.key = o.key AND (d.version = o.version OR d.sha256 = o.sha256)
        ORDER BY state IN ('loaded', 'quarantined') DESC, id DESC LIMIT 1
    ) d ON true
"""

STATES = f"""
CREATE VIEW submissions.record_states AS
SELECT r.id, r.job, r.dataset, r.partition, r.record, r.revision, r.line, o.key, d.id AS drop_id, d.run_id, q.reasons,
    CASE
        WHEN r.waiting THEN 'accepted'
        WHEN NOT r.in_force THEN 'superseded'
        WHEN r.withdrawn THEN 'withdrawn'
        WHEN o.written < o.generation THEN 'accepted'
        WHEN d.id IS NULL THEN 'landed'
        WHEN d.state = 'claimed' THEN 'running'
        WHEN d.state <> 'loaded' THEN d.state
        WHEN q.kind = 'bad' THEN 'quarantined'
        ELSE coalesce(q.kind, 'loaded')
    END AS state,
    d.message
FROM submissions.records r
LEFT JOIN submissions.objects o ON o.key = r.object
{_DROP}
LEFT JOIN LATERAL (
    SELECT kind, reasons FROM quarantine.rows WHERE drop_id = d.id AND line = r.line LIMIT 1
) q ON true;
COMMENT ON VIEW submissions.record_states IS 'what became of each record, by its line of the drop it is in';

CREATE VIEW submissions.job_states AS
SELECT j.*, s.state, s.drop_id, s.run_id, s.message, s.rows_read, s.rows_loaded, s.rows_quarantined, s.rows_duplicate
FROM submissions.jobs j, LATERAL (
    SELECT
        CASE
            WHEN o.version IS NULL THEN 'accepted'
            WHEN d.id IS NULL THEN 'landed'
            WHEN d.state = 'claimed' THEN 'running'
            ELSE d.state
        END AS state,
        d.id AS drop_id, d.run_id, d.message, coalesce(d.rows_read, 0) AS rows_read,
        coalesce(d.rows_loaded, 0) AS rows_loaded, coalesce(d.rows_quarantined, 0) AS rows_quarantined,
        coalesce(d.rows_duplicate, 0) AS rows_duplicate
    FROM (SELECT j.store, j.key, j.version, j.sha256) o {_DROP}
    WHERE j.kind = 'file'
    UNION ALL
    SELECT
        CASE
            WHEN bool_or(state = 'accepted') THEN 'accepted'
            WHEN bool_or(state = 'landed') THEN 'landed'
            WHEN bool_or(state = 'discovered') THEN 'discovered'
            WHEN bool_or(state = 'running') THEN 'running'
            WHEN bool_or(state IN ('failed', 'missing')) THEN 'failed'
            WHEN bool_or(state = 'loaded') THEN 'loaded'
            WHEN bool_or(state = 'quarantined') THEN 'quarantined'
            WHEN bool_or(state = 'duplicate') THEN 'duplicate'
            WHEN bool_or(state = 'withdrawn') THEN 'withdrawn'
            ELSE 'superseded'
        END,
        max(drop_id), max(run_id), max(message),
        count(*) FILTER (WHERE state IN ('loaded', 'quarantined', 'duplicate')),
        count(*) FILTER (WHERE state = 'loaded'), count(*) FILTER (WHERE state = 'quarantined'),
        count(*) FILTER (WHERE state = 'duplicate')
    FROM submissions.record_states
    WHERE j.kind <> 'file' AND (job = j.id OR id = ANY(j.repeated))
    HAVING j.kind <> 'file'
) s;
COMMENT ON VIEW submissions.job_states IS 'what became of each job: of a file by its drop, else of its records';
"""


def upgrade() -> None:
    for statement in (JOBS, RECORDS, UPLOADS, STATES):
        op.execute(statement.replace(":", r"\:"))


def downgrade() -> None:
    op.execute("DROP SCHEMA submissions CASCADE")
