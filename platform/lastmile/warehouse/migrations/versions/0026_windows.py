"""Windows that are made anew, streams that are joined, and the tables that events are looked up in."""

from alembic import op

revision = "0026"
down_revision = "0025"

REPLAYS = """
CREATE SCHEMA replays;
COMMENT ON SCHEMA replays IS 'windows while they are made anew';
CREATE TABLE streams.replays (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream       text        NOT NULL,
    window_name  text        NOT NULL,
    first        timestamptz,
    until        timestamptz,
    cuts         jsonb       NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    events       bigint,
    rows_before  bigint,
    rows_after   bigint,
    rows_changed bigint,
    problem      text
);
CREATE UNIQUE INDEX replay_under_way ON streams.replays (window_name) WHERE ended_at IS NULL;
COMMENT ON TABLE streams.replays IS 'windows that were made anew from landed events; one of a window at a time';
COMMENT ON COLUMN streams.replays.cuts IS
    'by partition, the offset from which the stream itself adds to what is made; before it, landed events do';
"""

JOINS = """
CREATE SCHEMA joins;
COMMENT ON SCHEMA joins IS 'events of joined streams that may still find others';
CREATE TABLE streams.lookups (
    stream      text        NOT NULL,
    lookup      text        NOT NULL,
    version     bigint      NOT NULL,
    read_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    relation    text        NOT NULL,
    rows        bigint      NOT NULL,
    digest      text        NOT NULL,
    PRIMARY KEY (stream, lookup, version)
);
COMMENT ON TABLE streams.lookups IS 'versions of tables that events were looked up in';
COMMENT ON COLUMN streams.lookups.read_at IS 'when a process first had this version';
COMMENT ON COLUMN streams.lookups.seen_at IS 'when one last did';
"""


def upgrade() -> None:
    op.execute(REPLAYS)
    op.execute(JOINS)


def downgrade() -> None:
    op.execute("DROP TABLE streams.lookups")
    op.execute("DROP SCHEMA joins CASCADE")
    op.execute("DROP TABLE streams.replays")
    op.execute("DROP SCHEMA replays CASCADE")
