"""Requests to fill columns in from rescued values, which the next run of the partition executes."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE ledger.drops ADD refill text[]")
    op.execute(
        "COMMENT ON COLUMN ledger.drops.refill IS 'columns requested to be filled in from the rescued values of its"
        " rows; null where nothing is requested'"
    )
    op.execute("CREATE INDEX drops_to_refill ON ledger.drops (dataset, partition, id) WHERE refill IS NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE ledger.drops DROP refill")
