"""What was backed up, how far the log is archived, and how restore drills went."""

from alembic import op

revision = "0023"
down_revision = "0022"

BACKUPS = """
CREATE SCHEMA IF NOT EXISTS operations;
CREATE TABLE operations.backups (
    id           text        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('full', 'incremental', 'logical')),
    parent       text,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    bytes        bigint,
    stored_bytes bigint,
    objects      bigint,
    object_bytes bigint,
    error        text
);
CREATE INDEX backups_by_time ON operations.backups (started_at);
COMMENT ON TABLE operations.backups IS 'one row for each attempt; complete are those with an end and no error';
COMMENT ON COLUMN operations.backups.stored_bytes IS 'compressed, encrypted, as the store has it';
COMMENT ON COLUMN operations.backups.object_bytes IS 'of objects copied by this backup';

CREATE TABLE operations.log_archive (
    only_one       boolean     PRIMARY KEY DEFAULT true CHECK (only_one),
    archived_at    timestamptz NOT NULL,
    archived_to    pg_lsn      NOT NULL,
    objects_at     timestamptz,
    spooled_bytes  bigint      NOT NULL,
    problem        text,
    problem_since  timestamptz
);
COMMENT ON TABLE operations.log_archive IS 'how far the log and the objects are in the backups';

CREATE TABLE operations.drills (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    backup       text,
    target       timestamptz,
    recovered_to timestamptz,
    bytes        bigint,
    objects      bigint,
    rpo_seconds  double precision,
    rto_seconds  double precision,
    faults       text[]      NOT NULL DEFAULT '{}',
    error        text
);
COMMENT ON TABLE operations.drills IS 'backups restored into a scratch home, and whether everything agreed';
"""


def upgrade() -> None:
    op.execute(BACKUPS)


def downgrade() -> None:
    op.execute("DROP TABLE operations.backups, operations.log_archive, operations.drills")
