"""Changes of databases: how far each is followed, and the schema of the tables that come of them."""

from alembic import op

revision = "0028"
down_revision = "0026"

CHANGES = """
CREATE SCHEMA changes;
COMMENT ON SCHEMA changes IS 'for each source of changes its rows as they are now, each change, and the rows as sent';

CREATE TABLE sources.changes (
    source        text        PRIMARY KEY,
    slot          text        NOT NULL,
    publication   text        NOT NULL,
    system        text        NOT NULL,
    snapshot      integer     NOT NULL DEFAULT 0,
    lsn           pg_lsn,
    columns       text[]      NOT NULL DEFAULT '{}',
    committed_at  timestamptz,
    applied_at    timestamptz,
    transactions  bigint      NOT NULL DEFAULT 0,
    changes       bigint      NOT NULL DEFAULT 0,
    quarantined   bigint      NOT NULL DEFAULT 0,
    source_lsn    pg_lsn,
    seen_at       timestamptz,
    behind_since  timestamptz,
    problem       text,
    problem_since timestamptz
);
COMMENT ON TABLE sources.changes IS 'how far each source of changes is followed; committed with what was made of them';
COMMENT ON COLUMN sources.changes.slot IS 'at which the database keeps its log for us; named here before it is made';
COMMENT ON COLUMN sources.changes.system IS 'the cluster''s own number: positions of another one mean nothing';
COMMENT ON COLUMN sources.changes.snapshot IS 'how many were loaded';
COMMENT ON COLUMN sources.changes.lsn IS 'up to where all is loaded; null until the snapshot of the slot is';
COMMENT ON COLUMN sources.changes.columns IS 'of the table, as its changes were described last';
COMMENT ON COLUMN sources.changes.committed_at IS 'when the newest transaction that is loaded committed at the source';
COMMENT ON COLUMN sources.changes.source_lsn IS 'the end of the database''s log, as last seen at seen_at';
COMMENT ON COLUMN sources.changes.behind_since IS 'since when there is more in its log than is loaded; null: all is';
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute("DROP TABLE sources.changes")
    op.execute("DROP SCHEMA changes CASCADE")
