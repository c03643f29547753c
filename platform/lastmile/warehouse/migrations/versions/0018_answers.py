"""The log of predictions that were answered over HTTP."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("COMMENT ON SCHEMA registry IS 'versions of models, what is in use, and what was predicted'")


def downgrade() -> None:
    op.execute("COMMENT ON SCHEMA registry IS NULL")
