"""What a drop's row must also hold: that its bytes came back, were removed, came late, or were given up for good."""

from alembic import op

revision = "0002"
down_revision = "0001"

DROPS = """
ALTER TABLE ledger.drops
    ADD occurrence    int NOT NULL DEFAULT 1,
    ADD partition_end date,
    ADD removed_at    timestamptz,
    ADD discarded_at  timestamptz,
    ADD discarded_why text;
ALTER TABLE ledger.drops DROP CONSTRAINT drops_store_key_version_key;
ALTER TABLE ledger.drops ADD UNIQUE (store, key, version, occurrence);
COMMENT ON COLUMN ledger.drops.occurrence IS
    'how often this version has become the current one: where versions are named by content, old bytes may return';
COMMENT ON COLUMN ledger.drops.partition_end IS 'first day after the partition: what arrives later is late';
COMMENT ON COLUMN ledger.drops.removed_at IS 'when clean-up took the object away; its rows stay';
COMMENT ON COLUMN ledger.drops.discarded_at IS 'when somebody decided that a drop set aside is not wanted';
"""

DISCARDED = """
CREATE TABLE quarantine.discarded (
    drop_id bigint      NOT NULL REFERENCES ledger.drops,
    line    bigint      NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    why     text        NOT NULL,
    PRIMARY KEY (drop_id, line)
);
COMMENT ON TABLE quarantine.discarded IS
    'rows set aside that somebody decided not to want; kept apart from the rows so that a redo does not forget it';
"""


def upgrade() -> None:
    op.execute(DROPS)
    op.execute(DISCARDED)


def downgrade() -> None:
    op.execute("DROP TABLE quarantine.discarded")
    op.execute("ALTER TABLE ledger.drops DROP CONSTRAINT drops_store_key_version_occurrence_key")
    op.execute("ALTER TABLE ledger.drops ADD UNIQUE (store, key, version)")
    op.execute(
        "ALTER TABLE ledger.drops DROP occurrence, DROP partition_end, DROP removed_at, DROP discarded_at,"
        " DROP discarded_why"
    )
