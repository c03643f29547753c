"""Drops whose bytes return, whose object is removed, that are late, or that are discarded."""

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
    'how often this version has become the current one: where bytes identify versions, an old version may return';
COMMENT ON COLUMN ledger.drops.partition_end IS 'first day after the partition: what arrives later is late';
COMMENT ON COLUMN ledger.drops.removed_at IS 'when clean-up removed the object; its rows stay';
COMMENT ON COLUMN ledger.drops.discarded_at IS 'when it was decided to discard a quarantined drop';
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
    'quarantined rows that were discarded by decision; stored separately so that the decision survives a re-ingest';
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
