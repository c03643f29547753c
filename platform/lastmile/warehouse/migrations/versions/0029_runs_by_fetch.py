"""Runs of sources are found by what they fetched, so that removing old fetches does not read all runs for each."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute("CREATE INDEX runs_by_fetch ON sources.runs (fetch_id) WHERE fetch_id IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX sources.runs_by_fetch")
