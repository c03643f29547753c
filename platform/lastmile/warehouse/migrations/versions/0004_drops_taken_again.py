"""Where somebody asks for a drop, or some rows of it, to be taken again: a mark that the next run carries out."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE ledger.drops ADD retake bigint[]")
    op.execute(
        "COMMENT ON COLUMN ledger.drops.retake IS 'asked to be taken again under the contract as it is then: these"
        " lines of those set aside, or the whole drop where empty; null where nothing is asked'"
    )
    op.execute("CREATE INDEX drops_to_retake ON ledger.drops (dataset, partition, id) WHERE retake IS NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE ledger.drops DROP retake")
