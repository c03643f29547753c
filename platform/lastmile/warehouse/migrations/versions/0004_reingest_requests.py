"""Requests to re-ingest a drop, or to release some of its rows, which the next run of its partition executes."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE ledger.drops ADD retake bigint[]")
    op.execute(
        "COMMENT ON COLUMN ledger.drops.retake IS 'requested to be re-ingested under the contract as it is then:"
        " these quarantined lines, or the whole drop where empty; null where nothing is requested'"
    )
    op.execute("CREATE INDEX drops_to_retake ON ledger.drops (dataset, partition, id) WHERE retake IS NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE ledger.drops DROP retake")
