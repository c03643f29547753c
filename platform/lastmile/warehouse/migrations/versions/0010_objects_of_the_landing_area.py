"""What is in the landing area and cannot be listed, drops whose object was deleted, and files that fit no contract."""

from alembic import op

revision = "0010"
down_revision = "0009"

UNLISTED = """
CREATE TABLE ledger.unlisted (
    store text        NOT NULL,
    key   text        NOT NULL,
    why   text        NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store, key)
);
COMMENT ON TABLE ledger.unlisted IS
    'what the newest listing of the landing area met and could not list: a folder without rights, a link, a pipe';
"""

GONE = """
ALTER TABLE ledger.drops ADD gone_at timestamptz;
COMMENT ON COLUMN ledger.drops.gone_at IS
    'since when its object is not in the landing area any more, though clean-up has not removed it; its rows stay';
-- A listing of 100,000 known objects is compared with the number of these keys.
CREATE INDEX drops_present ON ledger.drops (store, key) WHERE gone_at IS NULL AND removed_at IS NULL
    AND state IN ('discovered', 'claimed', 'loaded', 'quarantined', 'duplicate', 'failed');
CREATE INDEX drops_unrouted ON ledger.drops (store) WHERE state = 'failed' AND settled_at IS NULL;
CREATE INDEX drops_gone ON ledger.drops (store) WHERE gone_at IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(UNLISTED)
    op.execute(GONE)


def downgrade() -> None:
    op.execute("ALTER TABLE ledger.drops DROP gone_at")
    op.execute("DROP TABLE ledger.unlisted")
