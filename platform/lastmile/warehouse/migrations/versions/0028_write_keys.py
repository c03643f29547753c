"""Write keys: what a web page sends its events to a stream with. They are public, and of one stream each."""

from alembic import op

revision = "0028"
down_revision = "0026"

WRITE_KEYS = """
CREATE TABLE streams.write_keys (
    key        text        PRIMARY KEY,
    stream     text        NOT NULL,
    topic      text        NOT NULL,
    origins    text[]      NOT NULL DEFAULT '{}',
    adds       text[]      NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text        NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE streams.write_keys IS 'with which pages send events to a stream; in every page, so no secret';
COMMENT ON COLUMN streams.write_keys.origins IS 'sites whose pages may send with it; none: all';
COMMENT ON COLUMN streams.write_keys.adds IS 'columns that the collector fills in itself';
"""


def upgrade() -> None:
    op.execute(WRITE_KEYS)


def downgrade() -> None:
    op.execute("DROP TABLE streams.write_keys")
