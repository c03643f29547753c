"""Records submitted over HTTP, until they are gathered into drops, and the jobs by which they are followed."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("CREATE SCHEMA submissions")


def downgrade() -> None:
    op.execute("DROP SCHEMA submissions CASCADE")
