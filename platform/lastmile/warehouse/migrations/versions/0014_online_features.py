"""The schema of the newest features of each entity, one table for each feature set."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("CREATE SCHEMA online")
    op.execute("COMMENT ON SCHEMA online IS 'of each feature set the newest row of every entity, by its key'")


def downgrade() -> None:
    op.execute("DROP SCHEMA online CASCADE")
