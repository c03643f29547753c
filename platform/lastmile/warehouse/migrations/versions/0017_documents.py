"""Documents: JSON of apps, by collection."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("CREATE SCHEMA documents")


def downgrade() -> None:
    op.execute("DROP SCHEMA documents CASCADE")
