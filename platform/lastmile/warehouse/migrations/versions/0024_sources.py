"""Sources: what each fetched and put into the landing area, and how its runs went."""

from alembic import op

revision = "0024"
down_revision = "0023"

SOURCES = """
CREATE SCHEMA sources;
CREATE TABLE sources.fetches (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL,
    store       text        NOT NULL,
    dataset     text        NOT NULL,
    partition   text        NOT NULL,
    key         text        NOT NULL,
    sha256      text        NOT NULL,
    size        bigint      NOT NULL,
    records     bigint      NOT NULL,
    cursor_from text,
    cursor_to   text,
    digests     bytea,
    run_id      text,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    landed_at   timestamptz
);
ALTER TABLE sources.fetches ALTER digests SET STORAGE EXTERNAL;
CREATE INDEX fetches_by_source ON sources.fetches (source, store, id);
COMMENT ON TABLE sources.fetches IS
    'one row for each object that a source puts into the landing area, written before the object is';
COMMENT ON COLUMN sources.fetches.cursor_to IS
    'where the next fetch begins once the ledger says that the drop of this key and sha256 is loaded';
COMMENT ON COLUMN sources.fetches.digests IS
    'of an incremental fetch, eight bytes for each record that it landed, by which one that comes again is known';
COMMENT ON COLUMN sources.fetches.landed_at IS 'when the object was there; null until then';

CREATE TABLE sources.runs (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text        NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz,
    state       text        NOT NULL DEFAULT 'running'
                            CHECK (state IN ('running', 'landed', 'nothing new', 'failed')),
    fetch_id    bigint      REFERENCES sources.fetches ON DELETE SET NULL,
    requests    bigint      NOT NULL DEFAULT 0,
    records     bigint      NOT NULL DEFAULT 0,
    repeated    bigint      NOT NULL DEFAULT 0,
    bytes       bigint      NOT NULL DEFAULT 0,
    cursor_from text,
    cursor_to   text,
    events      text[]      NOT NULL DEFAULT '{}',
    message     text,
    run_id      text
);
CREATE INDEX runs_by_source ON sources.runs (source, id);
COMMENT ON TABLE sources.runs IS 'each run of a source: what it fetched, what happened on the way, why it failed';
COMMENT ON COLUMN sources.runs.records IS 'that were landed';
COMMENT ON COLUMN sources.runs.repeated IS 'that came again and were landed before';
"""


def upgrade() -> None:
    op.execute(SOURCES)


def downgrade() -> None:
    op.execute("DROP SCHEMA sources CASCADE")
